# SPDX-License-Identifier: Apache-2.0
"""The gateway as a process: over mTLS to real gRPC servers, on a real database, to its end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from cli import postgres
from cli.authority import ensure_certificates
from cli.port import choose_port
from gateway.backend import PROCESSES
from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.clock import SystemClock
from services.chassis.contract import load_contract
from services.chassis.database import Database
from services.chassis.process import certificate_of
from services.chassis.refusal import SubjectBlocked
from services.chassis.server import Server
from tests.harness.cluster import book_of, open_folder, put_cluster
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SUBJECT = "0123456789abcdef0123456789abcdef"
READ = f"/v1/subjects/{SUBJECT}/data:read"


@dataclass
class Suite:
    """A database, certificates, four stand-in services, and how to start a gateway on them."""

    folder: Path
    environ: dict[str, str]
    key: str
    servers: dict[str, Server] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    pause: float = 0.0

    def serve(self, process: str) -> None:
        """Start the stand-in of a service."""
        server = Server(
            process, load_contract(), self._answer, certificate_of(process, self.folder), workers=4
        )
        server.start(f"unix:{self.folder}/{process}.sock")
        server.set_serving(True)
        self.servers[process] = server

    def _answer(self, call: Call) -> Message:
        self.calls.append(call)
        time.sleep(self.pause)
        request = call.method.input_class.FromString(call.payload)
        if isinstance(request, vault_pb2.ReadDataRequest):
            if request.purpose == subject_pb2.Purpose.NEWS:
                raise SubjectBlocked
            data = subject_pb2.PersonalData(given_name="Нұрсұлтан")
            return vault_pb2.ReadDataResponse(data=data, version=3)
        return call.method.output_class()

    def start(self, **changes: str) -> subprocess.Popen[str]:
        """Start `python -m gateway`."""
        return subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            cwd=ROOT,
            env={**self.environ, **changes},
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    folder = open_folder("qupia-test-")
    put_cluster(folder)
    server = postgres.start(folder / "postgres", fsync=False)
    access = book_of(server, "gateway")
    ensure_certificates(folder, (*PROCESSES, "gateway"), datetime.now(UTC))
    database = Database(access.runtime_url, pool_size=1)
    issued = CredentialBook(database, SystemClock()).issue(
        Holder("shop", "demo", KeyRole.STOREFRONT)
    )
    database.close()
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("QUPIA_")},
        "PYTHONPATH": f"{ROOT}:{ROOT}/protos",
        "GRPC_VERBOSITY": "ERROR",
        "QUPIA_GATEWAY_DATABASE_URL": access.runtime_url,
        "QUPIA_GATEWAY_CERTIFICATES": str(folder),
        "QUPIA_GATEWAY_LISTEN": f"127.0.0.1:{choose_port(0)}",
        "QUPIA_GATEWAY_METRICS": f"unix:{folder}/metrics.sock",
        "QUPIA_GATEWAY_DRAIN_SECONDS": "5",
        **{f"QUPIA_GATEWAY_{p.upper()}_TARGET": f"unix:{folder}/{p}.sock" for p in PROCESSES},
    }
    suite = Suite(folder, environ, issued.key)
    for process in PROCESSES:
        suite.serve(process)
    yield suite
    for running in suite.servers.values():
        running.stop(0)
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def client(suite: Suite) -> Iterator[httpx.Client]:
    """A client of a running gateway, which ends well after the test."""
    process = suite.start()
    base = f"http://{suite.environ['QUPIA_GATEWAY_LISTEN']}"
    with httpx.Client(
        base_url=base, headers={"Authorization": f"Bearer {suite.key}"}, timeout=10
    ) as client:
        _await(client)
        client.process = process  # type: ignore[attr-defined]
        yield client
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr is not None
    process.stderr.close()


def _await(client: httpx.Client) -> None:
    def answers() -> bool:
        try:
            client.get("/healthz")
        except httpx.TransportError:
            return False
        return True

    wait_until(answers, "the gateway did not start")


def test_a_read_goes_over_mtls_with_the_holder_of_the_key(
    suite: Suite, client: httpx.Client
) -> None:
    answer = client.post(READ, json={"purpose": "ACCOUNT"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "data": {"givenName": "Нұрсұлтан"},
        "version": 3,
        "visits": [],
        "purchases": [],
    }
    call = suite.calls[-1]
    assert call.reference == answer.headers["x-request-id"]
    forwarded = call.metadata["qupia-principal-bin"]
    assert isinstance(forwarded, bytes)
    assert contract_pb2.Principal.FromString(forwarded).principal_id == "shop"
    peer: Any = call.context.auth_context()["peer_uri"]
    assert peer == [b"spiffe://qupia/gateway"]
    remaining = call.context.time_remaining()
    assert remaining is not None
    refused = client.post(READ, json={"purpose": "NEWS"})
    assert (refused.status_code, refused.json()["clause"]) == (409, "6.2.3")
    assert client.post(READ, headers={"Authorization": "Bearer qk_none"}).status_code == 401


def test_a_megabyte_is_refused_and_the_connection_serves_on(client: httpx.Client) -> None:
    path = f"/v1/subjects/{SUBJECT}/data"
    answer = client.patch(path, json={"data": {"phone": "1" * 1_000_000}})
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert client.post(READ, json={"purpose": "ACCOUNT"}).status_code == 200


def test_health_follows_the_parts_and_a_restarted_service_is_found_again(
    suite: Suite, client: httpx.Client
) -> None:
    assert client.get("/healthz").status_code == 200
    suite.servers["vault"].stop(0)
    again = threading.Timer(0.3, suite.serve, ["vault"])
    try:
        wait_until(
            lambda: client.get("/healthz").status_code == 503, "nobody noticed that it is gone"
        )
        answer = client.get("/healthz")
        assert answer.json()["parts"]["vault"] == "NOT_SERVING"
        refused = client.post(READ, json={"purpose": "ACCOUNT"})
        assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
        assert refused.headers["retry-after"]
        again.start()
        assert client.post(READ, json={"purpose": "ACCOUNT"}).status_code == 200, "tried again"
    finally:
        again.join()
    wait_until(lambda: client.get("/healthz").status_code == 200, "it was not found again")


def test_running_requests_end_well_when_the_gateway_is_stopped(suite: Suite) -> None:
    process = suite.start()
    base = f"http://{suite.environ['QUPIA_GATEWAY_LISTEN']}"
    statuses: list[int] = []
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {suite.key}"}) as client:
        _await(client)
        suite.pause = 1.0
        seen = len(suite.calls)
        try:
            running = threading.Thread(
                target=lambda: statuses.append(
                    client.post(READ, json={"purpose": "ACCOUNT"}).status_code
                )
            )
            running.start()
            while len(suite.calls) == seen:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            running.join()
        finally:
            suite.pause = 0.0
    assert statuses == [200]
    assert process.wait(60) == 0
    assert process.stderr is not None
    log = process.stderr.read()
    process.stderr.close()
    assert SUBJECT not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"QUPIA_GATEWAY_LISTENN": "x"}, 78, "did you mean listen?"),
        ({"QUPIA_GATEWAY_DEADLINE_SECONDS": "soon"}, 78, "deadline_seconds"),
        ({"QUPIA_GATEWAY_LISTEN": "8080"}, 69, "host:port"),
        ({"QUPIA_GATEWAY_LISTEN": "192.0.2.1:8080"}, 69, "set an address of this machine"),
        ({"QUPIA_GATEWAY_METRICS": "9090x"}, 78, "metrics: 9090x is neither host:port"),
        ({"QUPIA_GATEWAY_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, 69, "database"),
        ({"QUPIA_GATEWAY_DATABASE_URL": "mysql://x/x"}, 78, "postgresql"),
        ({"QUPIA_GATEWAY_DATABASE_URL": "postgresql://h:port/x"}, 78, "DATABASE_URL"),
        ({"QUPIA_GATEWAY_CERTIFICATES": "/nowhere"}, 69, "certificate"),
        ({"QUPIA_GATEWAY_TLS_KEY": "/x"}, 78, "set together"),
        ({"QUPIA_GATEWAY_TLS_CLIENT_AUTHORITIES": "/x"}, 78, "needs tls_certificate"),
        (
            {"QUPIA_GATEWAY_TLS_CERTIFICATE": "/no.pem", "QUPIA_GATEWAY_TLS_KEY": "/no.key"},
            69,
            "/no.pem",
        ),
    ],
    ids=[
        "unknown key",
        "no number",
        "no port",
        "no address of ours",
        "no metrics address",
        "no database",
        "another database",
        "no url",
        "no certificate",
        "half of TLS",
        "clients without TLS",
        "no TLS file",
    ],
)
def test_what_cannot_start_says_why(
    suite: Suite, changes: dict[str, str], code: int, said: str
) -> None:
    process = suite.start(**changes)
    _, text = process.communicate(timeout=60)
    assert (process.returncode, said in text) == (code, True), text
    assert "Traceback" not in text


def test_a_port_in_use_is_named(suite: Suite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for key, remedy in (
            ("QUPIA_GATEWAY_LISTEN", "set another port in QUPIA_GATEWAY_LISTEN"),
            ("QUPIA_GATEWAY_METRICS", "set another address as `metrics`"),
        ):
            process = suite.start(**{key: address})
            _, text = process.communicate(timeout=60)
            assert process.returncode == 69
            assert address in text
            assert remedy in text
            assert "Traceback" not in text
