# SPDX-License-Identifier: Apache-2.0
"""Prometheus metrics; labels are names of the contract only, never values of a caller."""

from __future__ import annotations

import socketserver
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import make_wsgi_app

from services.chassis.address import AddressInUse, refuse_served, unix_path
from services.chassis.config import ConfigError

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The figures of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.calls = Counter(
            "qupia_calls_total",
            "Calls by RPC and reason (OK where it succeeded).",
            ("method", "reason"),
            registry=self.registry,
        )
        self.call_seconds = Histogram(
            "qupia_call_seconds",
            "Time from arrival to answer.",
            ("method",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.oldest_pending = Gauge(
            "qupia_oldest_pending_seconds",
            "Age of the oldest act that is recorded but not in force.",
            ("topic",),
            registry=self.registry,
        )
        self.overdue = Gauge(
            "qupia_overdue",
            "Duties whose term is over and that nobody has done.",
            ("duty",),
            registry=self.registry,
        )
        self.alarms = Counter(
            "qupia_alarms_total",
            "What must never happen, by kind.",
            ("kind",),
            registry=self.registry,
        )

    def serve(self, address: str) -> None:
        """Serve the exposition at ``host:port`` or ``unix:/path`` from a daemon thread.

        Raises AddressInUse; ConfigError for what is no address.
        """
        refuse_served(address, "metrics")
        try:
            server = _server(address)
        except OSError:
            raise AddressInUse(address, "metrics") from None
        except (ValueError, OverflowError):
            raise ConfigError(f"metrics: {address} is neither host:port nor unix:/path") from None
        server.set_app(make_wsgi_app(self.registry))
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base
        """Say nothing: request lines are not ours to log."""

    def address_string(self) -> str:
        """A Unix socket has no address."""
        return "local"


class _UnixServer(WSGIServer):
    address_family = socketserver.UnixStreamServer.address_family

    def server_bind(self) -> None:
        """Bind the socket; there is no host name to look up."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "local", 0
        self.setup_environ()

    def get_request(self) -> tuple[object, tuple[str, int]]:  # type: ignore[override]
        """Accept with an address that wsgiref can print."""
        connection, _ = self.socket.accept()
        return connection, ("local", 0)


def _server(address: str) -> WSGIServer:
    path = unix_path(address)
    if path is not None:
        Path(path).unlink(missing_ok=True)
        return _UnixServer(path, _Quiet)  # type: ignore[arg-type]
    host, _, port = address.rpartition(":")
    return WSGIServer((host, int(port)), _Quiet)
