# SPDX-License-Identifier: Apache-2.0
"""What a connection may hold before the application sees it: a new uvicorn must not undo this."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
import uvloop

from gateway import protocol
from gateway.protocol import BoundedProtocol
from tests.harness.waiting import PATIENCE_SECONDS


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 60)
    monkeypatch.setattr(protocol, "DISCARD_SECONDS", 60)
    monkeypatch.setattr(protocol, "MAX_DISCARDED_BYTES", 100_000)
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 3)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        _app, http=BoundedProtocol, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, address: tuple[str, int]) -> tuple[str, int]:
    """The same server, which waits for 0.4 s only."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(protocol, "DISCARD_SECONDS", 0.4)
    return address


def _connect(address: tuple[str, int]) -> socket.socket:
    connection = socket.create_connection(address)
    connection.settimeout(PATIENCE_SECONDS)
    return connection


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True


def _breaks(
    connection: socket.socket, first: bytes, then: bytes, *, times: int, pause: float = 0
) -> bool:
    """Whether the server ends the connection before all was sent."""
    try:
        connection.sendall(first)
        for _ in range(times):
            connection.sendall(then)
            time.sleep(pause)
    except OSError:
        return True
    return False


def test_a_request_is_answered(impatient: tuple[str, int]) -> None:
    with _connect(impatient) as connection:
        for pause in (0.5, 0):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: q\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            time.sleep(pause)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: q\r\nX: "])
def test_a_head_that_never_ends_is_given_up(impatient: tuple[str, int], sent: bytes) -> None:
    with _connect(impatient) as connection:
        connection.sendall(sent)
        assert _is_closed(connection)


def test_a_head_that_drips_is_given_up(impatient: tuple[str, int]) -> None:
    with _connect(impatient) as connection:
        assert _breaks(connection, b"GET / HTTP/1.1\r\n", b"X: y\r\n", times=30, pause=0.1)


def test_a_head_without_bounds_is_given_up(address: tuple[str, int]) -> None:
    with _connect(address) as connection:
        line = b"X-Y: " + b"z" * 1000 + b"\r\n"
        assert _breaks(connection, b"GET / HTTP/1.1\r\n", line, times=10_000)


def test_a_body_after_the_answer_is_not_taken_for_ever(address: tuple[str, int]) -> None:
    with _connect(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: q\r\nContent-Length: 99999999\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert _breaks(connection, b"", b"x" * 1000, times=100_000)


def test_a_body_that_stops_after_the_answer_is_given_up(impatient: tuple[str, int]) -> None:
    with _connect(impatient) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: q\r\nContent-Length: 9999\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(b"x")
        assert _is_closed(connection)


def test_one_connection_too_many_is_closed(address: tuple[str, int]) -> None:
    held = [_connect(address) for _ in range(3)]
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: q\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    with _connect(address) as connection:
        assert _is_closed(connection)
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\xd3\x98 HTTP/1.1\r\nHost: q\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: q\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_the_next_is_served(
    address: tuple[str, int], sent: bytes
) -> None:
    with _connect(address) as connection:
        connection.sendall(sent)
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 400") or answer == b""
    with _connect(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: q\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
