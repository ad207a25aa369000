# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: every request takes the same way, whatever RPC it is for.

    reference → page or route → load → identity → body → transcode → call → answer

Whatever goes wrong leaves as a problem; the last stage turns what nobody foresaw into a bare
INTERNAL, so that no text of an exception reaches a client or a log.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.answer import Answer, Presenter
from gateway.backend import Backend, CallFailed
from gateway.exchange import ClientGone, Declined, Exchange
from gateway.figures import NO_ROUTE, Figures
from gateway.headers import Headers
from gateway.identity import Identity, Metadata
from gateway.problem import Problem, ProblemWriter, of_refusal, of_status
from gateway.routes import MethodNotAllowed, Routes
from gateway.transcoder import Given, Transcoder
from services.chassis.contract import Contract
from services.chassis.ids import new_uuid
from services.chassis.refusal import Internal, Overloaded, Refusal, TooLarge

REFERENCE_KEY = "qupia-reference"
# JSON may say in six bytes (\u0416) what takes two on the wire, and in base64 four for three.
_JSON_FOR_WIRE = 3
Page = Callable[[Headers], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take: seconds for the call and for the body; requests at a time."""

    deadline: float = 3.0
    body: float = 10.0
    at_once: int = 256


@dataclass(slots=True)
class _Trace:
    """What the log line of a request will say."""

    route: str = NO_ROUTE
    rpc: str = NO_ROUTE
    reason: str = "OK"


class Gateway:
    """Answers requests from the contract's table. Raises ContractError for a hole in it.

    `pages` are the paths beside the contract, such as /healthz; they need no credential.
    """

    def __init__(
        self,
        contract: Contract,
        backend: Backend,
        identity: Identity,
        problems: ProblemWriter,
        pages: Mapping[str, Page],
        figures: Figures,
        limits: Limits,
    ) -> None:
        methods = [m for m in contract.methods.values() if m.http is not None]
        self._routes = Routes(methods)
        self._transcoders = {m.path: Transcoder(m) for m in methods}
        self._presenters = {m.path: Presenter(m) for m in methods}
        self._backend = backend
        self._identity = identity
        self._problems = problems
        self._pages = {path.encode(): page for path, page in pages.items()}
        self._figures = figures
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.monotonic()
        headers = Headers(scope["headers"])
        exchange = Exchange(scope, receive, send, headers, new_uuid())
        trace = _Trace()
        self._running += 1
        self._figures.running.set(self._running)
        try:
            answer = await self._answer_or_problem(exchange, trace)
            await exchange.answer(answer)
            seconds = time.monotonic() - started
            self._figures.answered(
                trace.route, trace.rpc, answer.status, trace.reason, exchange.reference, seconds
            )
        except ClientGone:
            return
        finally:
            self._running -= 1
            self._figures.running.set(self._running)

    async def _answer_or_problem(self, exchange: Exchange, trace: _Trace) -> Answer:
        try:
            return await self._answer(exchange, trace)
        except ClientGone:
            raise
        except Refusal as refusal:
            problem = of_refusal(refusal)
        except CallFailed as failure:
            problem = of_status(failure.code, failure.details)
        except Declined as declined:
            problem = declined.problem
        except MethodNotAllowed as refused:
            trace.route = refused.template
            problem = _not_allowed(refused.allowed)
        except Exception as error:  # noqa: BLE001 - the last resort: its text goes nowhere
            self._figures.defect(error, exchange.reference)
            problem = of_refusal(Internal())
        trace.reason = problem.reason
        return self._problems.answer(problem, exchange.headers.language(), exchange.reference)

    async def _answer(self, exchange: Exchange, trace: _Trace) -> Answer:
        page = self._pages.get(exchange.raw_path)
        if page is not None:
            trace.route = exchange.raw_path.decode()
            if exchange.method not in ("GET", "HEAD"):
                raise MethodNotAllowed(trace.route, ("GET", "HEAD"))
            return await page(exchange.headers)
        match = self._routes.find(exchange.method, exchange.raw_path)
        method = match.method
        trace.route, trace.rpc = match.template, method.name
        # What restricts processing still gets in when reads no longer do.
        if self._running > self._limits.at_once * (2 if method.critical else 1):
            raise Overloaded(retry_after=1)
        # Where anyone may call, no credential is looked at, not even a wrong one.
        caller = [] if method.anyone else await self._caller(exchange)
        metadata = [*caller, (REFERENCE_KEY, exchange.reference)]
        given = Given(
            path=match.values,
            query=bytes(exchange.scope["query_string"]),
            body=await self._body(exchange, _JSON_FOR_WIRE * method.max_request_bytes),
            idempotency_key=exchange.headers.idempotency_key() if method.mutates else None,
            if_version=exchange.headers.if_match(),
        )
        request = self._transcoders[method.path].request(given).SerializeToString()
        if len(request) > method.max_request_bytes:
            raise TooLarge
        payload = await self._backend.call(method, request, metadata, self._limits.deadline)
        try:
            response = method.output_class.FromString(payload)
        except DecodeError:
            raise Internal from None
        return self._presenters[method.path].answer(response)

    async def _caller(self, exchange: Exchange) -> Metadata:
        return await self._identity.metadata(exchange.headers, exchange.certificate_sha256)

    async def _body(self, exchange: Exchange, limit: int) -> bytes:
        body = await exchange.body(limit, self._limits.body)
        if body:
            exchange.check_media_type()
        return body


def _not_allowed(allowed: tuple[str, ...]) -> Problem:
    return Problem("UNIMPLEMENTED", status=405, headers=(("allow", ", ".join(allowed)),))


def make_app(gateway: Gateway) -> Starlette:
    """The application with its one route, which takes every path of every method."""
    app = Starlette()
    # As the default, not as a path: "*" is a path too, and methods are the gateway's to refuse.
    app.router.default = gateway
    return app
