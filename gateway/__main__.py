# SPDX-License-Identifier: Apache-2.0
"""Composition of the gateway: the only place that makes its parts."""

import asyncio
import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server, socket

import uvicorn
import uvloop

from gateway.app import Gateway, Limits, make_app
from gateway.backend import Channels
from gateway.book import CredentialBook
from gateway.comments import default_path, explanations, read_comments
from gateway.figures import Figures
from gateway.health import Health
from gateway.identity import Identity
from gateway.pages import reference_pages
from gateway.problem import ProblemWriter
from gateway.protocol import BoundedProtocol
from gateway.refused import Note, RefusedCredentials
from gateway.settings import GatewaySettings
from gateway.tls import Door, TlsError
from services.chassis import log
from services.chassis.clock import SystemClock
from services.chassis.config import ConfigError, load_settings
from services.chassis.contract import load_contract
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.chassis.migration import check
from services.chassis.process import certificate_of, run
from services.chassis.refusal import Unavailable
from services.chassis.rounds import Rounds
from services.chassis.start_error import StartError

PROCESS = "gateway"
MIGRATIONS = Path(__file__).parent / "migrations"
_LOOKUP_THREADS = 8
_KEEP_ALIVE_SECONDS = 75


def main(environ: Mapping[str, str] | None = None, ready: Callable[[], None] = lambda: None) -> int:
    """Serve until SIGTERM or SIGINT; `ready` is called once connections are taken.

    Returns the exit code. Makes no grpc object before it is called, so it may run in a fork.
    """
    return run(
        PROCESS, lambda stop: _serve(load_settings(GatewaySettings, PROCESS, environ), ready, stop)
    )


def _serve(settings: GatewaySettings, ready: Callable[[], None], stop: threading.Event) -> None:
    # gRPC prints handshakes that fail; the calls that need them are refused and counted.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    log.configure(PROCESS)
    database = _database(settings)
    refused = RefusedCredentials(database, SystemClock())
    door = _door(settings, refused.note)
    listener = _listen(settings.listen)
    executor = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup")
    try:
        with database.transaction() as connection:
            check(connection, MIGRATIONS)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, door, database, refused, executor, listener, ready, stop))
    finally:
        listener.close()
        executor.shutdown(wait=False, cancel_futures=True)
        database.close()


def _database(settings: GatewaySettings) -> Database:
    try:
        return Database(
            settings.database_url,
            pool_size=_LOOKUP_THREADS,
            timeout_ms=settings.database_timeout_ms,
        )
    except ValueError:
        raise ConfigError(f"QUPIA_{PROCESS.upper()}_DATABASE_URL is no URL") from None


def _door(settings: GatewaySettings, refused: Note) -> Door | None:
    try:
        return Door(settings.tls_files, refused) if settings.tls_files else None
    except TlsError as error:
        raise StartError(str(error)) from None


async def _run(
    settings: GatewaySettings,
    door: Door | None,
    database: Database,
    refused: RefusedCredentials,
    executor: Executor,
    listener: socket,
    ready: Callable[[], None],
    stop: threading.Event,
) -> None:
    contract = load_contract()
    comments = read_comments(default_path())
    metrics = Metrics()
    if settings.metrics:
        metrics.serve(settings.metrics)
    backend = Channels(settings.targets, certificate_of(PROCESS, settings.certificates))
    health = Health(backend, database.reachable, executor)
    pages = reference_pages(contract, comments)
    pages["/healthz"] = lambda _: health.answer()
    gateway = Gateway(
        contract,
        backend,
        Identity(
            CredentialBook(database, SystemClock(), refused=refused.note), executor, refused.note
        ),
        ProblemWriter(explanations(comments)),
        pages,
        Figures(metrics, log.get_logger(PROCESS)),
        Limits(settings.deadline_seconds, settings.body_seconds, settings.at_once),
    )
    server = _Server(_config(gateway, settings, door), ready)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.drain)
    if stop.is_set():
        # The signal came before the loop could take it.
        server.drain()
    renewal = asyncio.create_task(_renew(door, settings.tls_refresh_seconds)) if door else None
    rounds = Rounds("refused_credentials", refused.write, metrics, log.get_logger(PROCESS))
    rounds.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        if renewal is not None:
            renewal.cancel()
        await backend.close()
        rounds.stop()
        with contextlib.suppress(Unavailable):
            refused.write()


async def _renew(door: Door, seconds: float) -> None:
    """Take renewed files while the process runs; with broken ones the old stay."""
    logger = log.get_logger(PROCESS)
    while True:
        await asyncio.sleep(seconds)
        try:
            if door.refresh():
                logger.info("tls files renewed")
        except TlsError as error:
            logger.warning("tls files cannot be used", error=type(error).__name__)


def _config(gateway: Gateway, settings: GatewaySettings, door: Door | None) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(gateway),
        http=BoundedProtocol,
        ssl_context_factory=(lambda *_: door.context) if door else None,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to us and says when it takes connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: uvicorn would raise them again at the end and so die of them."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Take connections, then say so."""
        await super().startup(sockets)
        self._ready()

    def drain(self) -> None:
        """Take no new connections, finish the running requests."""
        self.should_exit = True


def _listen(address: str) -> socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise StartError(f"QUPIA_GATEWAY_LISTEN={address} is not host:port")
    try:
        family = AF_INET6 if ":" in host else AF_INET
        return create_server((host, int(port)), family=family, backlog=1024)
    except OSError as error:
        raise StartError(
            f"cannot listen at {address}: {error.strerror}; {_remedy(error)} QUPIA_GATEWAY_LISTEN"
        ) from None


def _remedy(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "stop what listens there (ss -ltnp names it), or set another port in"
    if error.errno == errno.EACCES:
        return "ports below 1024 need the right to them (CAP_NET_BIND_SERVICE): set another in"
    return "set an address of this machine in"


if __name__ == "__main__":
    sys.exit(main())
