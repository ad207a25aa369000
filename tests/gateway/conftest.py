# SPDX-License-Identifier: Apache-2.0
"""The gateway over the real contract, with a backend that the test answers for."""

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
import pytest
import structlog
from google.protobuf.message import Message

from gateway.app import Gateway, Limits, make_app
from gateway.backend import CallFailed
from gateway.comments import default_path, explanations, read_comments
from gateway.credential import Credential, Holder, KeyRole
from gateway.figures import Figures
from gateway.health import Health
from gateway.identity import Identity, Metadata
from gateway.pages import reference_pages
from gateway.problem import ProblemWriter
from gateway.refused import RefusedCredential
from services.chassis.contract import Method, load_contract
from services.chassis.database import Database
from services.chassis.ids import new_uuid
from services.chassis.metrics import Metrics
from services.chassis.refusal import Refusal, Unauthenticated
from tests.harness.cluster import book_of, running_cluster

STOREFRONT_KEY = "qk_" + "S" * 43
RECIPIENT_KEY = "qk_" + "R" * 43
HOLDERS = {
    STOREFRONT_KEY: Holder("shop-web", "demo", KeyRole.STOREFRONT, ("NEWS", "ACCOUNT")),
    RECIPIENT_KEY: Holder(
        "courier-1", "demo", KeyRole.RECIPIENT, (), "01890000-0000-7000-8000-000000000001"
    ),
}
Answerer = Callable[[Message], Message]


class Holders:
    """Keys without a database."""

    def credential_of(self, key: str) -> Credential:
        """The credential of the key. Raises Unauthenticated."""
        if key not in HOLDERS:
            raise Unauthenticated
        return Credential(new_uuid(), HOLDERS[key], datetime.now(UTC), None, None)


@dataclass
class Services:
    """Stands for all services: answers by RPC name, and keeps what it was asked."""

    answers: dict[str, Answerer | Refusal | CallFailed | bytes] = field(default_factory=dict)
    asked: list[tuple[Method, Any, dict[str, str | bytes]]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)

    async def call(
        self, method: Method, request: bytes, metadata: Metadata, seconds: float
    ) -> bytes:
        """Answer as the test said; an empty response where it said nothing."""
        assert seconds > 0
        message = method.input_class.FromString(request)
        self.asked.append((method, message, dict(metadata)))
        answer = self.answers.get(method.name)
        if isinstance(answer, CallFailed):
            raise answer
        if isinstance(answer, Refusal):
            status = answer.to_status("a-service-reference")
            raise CallFailed(status.code, status.SerializeToString())
        if isinstance(answer, bytes):
            return answer
        response = answer(message) if answer else method.output_class()
        return response.SerializeToString()

    async def is_serving(self, process: str, seconds: float) -> bool:
        """Serving, unless the test said otherwise."""
        assert seconds > 0
        return process not in self.down

    @property
    def request(self) -> Any:
        """What the last call asked."""
        return self.asked[-1][1]

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The metadata of the last call."""
        return self.asked[-1][2]


# Made once: they are the same whatever a test asks.
@cache
def _comments() -> Mapping[str, str]:
    return read_comments(default_path())


@cache
def _reference_pages() -> Mapping[str, Any]:
    return reference_pages(load_contract(), _comments())


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def log_lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def gateway_refused() -> list[RefusedCredential]:
    """The credentials that the gateway refused and noted."""
    return []


@pytest.fixture
def gateway(
    services: Services,
    metrics: Metrics,
    log_lines: io.StringIO,
    gateway_refused: list[RefusedCredential],
) -> Iterator[Gateway]:
    contract = load_contract()
    comments = _comments()
    log = structlog.wrap_logger(
        structlog.PrintLogger(log_lines), processors=[structlog.processors.JSONRenderer()]
    )
    with ThreadPoolExecutor(2) as executor:
        pages = dict(_reference_pages())

        async def healthz(_headers: object) -> Any:
            health = Health(services, lambda: "database" not in services.down, executor)
            return await health.answer()

        pages["/healthz"] = healthz
        yield Gateway(
            contract,
            services,
            Identity(Holders(), executor, gateway_refused.append),
            ProblemWriter(explanations(comments)),
            pages,
            Figures(metrics, log),
            Limits(deadline=3, body=0.3, at_once=4),
        )


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(gateway: Gateway) -> Ask:
    """Ask the gateway: `ask("POST", "/v1/…", json={…})`, as the storefront by default."""

    def run(method: str, url: str, key: str | None = STOREFRONT_KEY, **more: Any) -> httpx.Response:
        headers = httpx.Headers(more.pop("headers", {}))
        if key is not None and "authorization" not in headers:
            headers["authorization"] = f"Bearer {key}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(make_app(gateway), raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://qupia") as client:
                return await client.request(method, url, headers=headers, **more)

        return asyncio.run(send())

    return run


@pytest.fixture
def method() -> Callable[[str], Method]:
    """A method of the contract by its name, such as ReadData."""

    def find(name: str) -> Method:
        found = [m for m in load_contract().methods.values() if m.name == name and m.http]
        return found[0]

    return find


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The gateway's database, as its runtime role sees it."""
    with running_cluster("qupia-test-") as server:
        yield book_of(server, "gateway").runtime_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, pool_size=4)
    yield database
    database.close()
