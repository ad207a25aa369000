# SPDX-License-Identifier: Apache-2.0
"""One HTTP exchange: the body in, within its limits, and the answer out."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.types import Receive, Scope, Send

from gateway.answer import Answer
from gateway.headers import Headers
from gateway.problem import Problem
from gateway.protocol import CLIENT_CERTIFICATE
from gateway.tls import ClientCertificate
from services.chassis.refusal import FieldViolation, TooLarge

MERGE_PATCH = "application/merge-patch+json"
_ALWAYS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_NOT_MODIFIED = 304
_UNSUPPORTED = 415
_REQUEST_TIMEOUT = 408


class ClientGone(Exception):
    """The client closed the connection; nobody waits for an answer."""


class Declined(Exception):
    """The exchange ends in this problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.reason)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it arrived, under the reference that its answer and the log carry."""

    scope: Scope
    receive: Receive
    send: Send
    headers: Headers
    reference: str

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.scope["method"])

    @property
    def raw_path(self) -> bytes:
        """The path as sent, still encoded."""
        return bytes(self.scope["raw_path"])

    @property
    def certificate_sha256(self) -> str:
        """Of the client certificate the connection presented; empty for none that holds now."""
        state = self.scope.get("state", {})
        presented: ClientCertificate | None = state.get(CLIENT_CERTIFICATE)
        return presented.sha256_at(datetime.now(UTC)) if presented else ""

    async def body(self, limit: int, seconds: float) -> bytes:
        """The whole body, of at most `limit` bytes, within `seconds`.

        Raises TooLarge, Declined where it comes too slowly, ClientGone. What is not read
        here is discarded by the server.
        """
        length = self.headers.one("Content-Length")
        if length is not None and len(length) <= 19 and length.isdecimal() and int(length) > limit:
            raise TooLarge
        try:
            async with asyncio.timeout(seconds):
                return await self._read(limit)
        except TimeoutError:
            problem = Problem(
                "DEADLINE_EXCEEDED", status=_REQUEST_TIMEOUT, headers=(("connection", "close"),)
            )
            raise Declined(problem) from None

    async def _read(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise TooLarge
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def check_media_type(self) -> None:
        """Raises Declined unless the body says that it is plain JSON in UTF-8, or says nothing."""
        coding = self.headers.one("Content-Encoding")
        if coding is not None and coding.lower() != "identity":
            raise _unsupported("Content-Encoding")
        media = self.headers.one("Content-Type")
        if media is None:
            return
        kind, _, parameter = media.replace(" ", "").lower().partition(";")
        accepted = ("application/json", MERGE_PATCH if self.method == "PATCH" else "")
        if kind not in accepted or parameter not in ("", "charset=utf-8", 'charset="utf-8"'):
            raise _unsupported("Content-Type")

    async def answer(self, answer: Answer) -> None:
        """Send the answer."""
        headers = {**_ALWAYS, **answer.headers, "x-request-id": self.reference}
        if answer.status != _NOT_MODIFIED:
            headers["content-length"] = str(len(answer.body))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": answer.status, "headers": raw})
        body = b"" if self.method == "HEAD" else answer.body
        await self.send({"type": "http.response.body", "body": body})


def _unsupported(header: str) -> Declined:
    fault = FieldViolation(header, "media_type", "the body has to be plain JSON in UTF-8")
    return Declined(Problem("MALFORMED", fields=(fault,), status=_UNSUPPORTED))
