# SPDX-License-Identifier: Apache-2.0
"""Bounds on what a connection may hold before any of our code runs, and what it has presented.

uvicorn tells an application nothing of the client's certificate; here it enters the state of the
connection's requests, where no header can reach. uvicorn waits without end for the head of a
request and keeps all of it. This subclass is the only place that knows uvicorn's protocol class; a
test fails if a new uvicorn makes it ineffective.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.tls import client_certificate

CLIENT_CERTIFICATE = "client_certificate"
MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
DISCARD_SECONDS = 30.0
MAX_CONNECTIONS = 1000


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits on the head, on what is discarded, and on connections."""

    _in_head = True
    _head_bytes = 0
    _discarded = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse one connection too many; give the others a time for their first head."""
        super().connection_made(transport)
        presented = client_certificate(transport.get_extra_info("ssl_object"))
        # A dictionary of its own: uvicorn gives all connections the same one.
        self.app_state = {**self.app_state, CLIENT_CERTIFICATE: presented}
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes until the head is too large."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins: its head has a time and a size."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self._discarded = 0
        self._wait(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """The head is there; from here the application waits, and for as long as it wants."""
        self._in_head = False
        self._wait(None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Discard what comes after the answer, within bounds."""
        super().on_body(body)
        if self.cycle.response_complete:
            if not self._discarded:
                self._wait(DISCARD_SECONDS)
            self._discarded += len(body)
            if self._discarded > MAX_DISCARDED_BYTES:
                self.transport.abort()

    def on_message_complete(self) -> None:
        """The request is whole; nothing is discarded any more."""
        self._wait(None)
        super().on_message_complete()

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
