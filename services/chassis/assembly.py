# SPDX-License-Identifier: Apache-2.0
"""The parts every gRPC process is put together from; only a `__main__` calls this."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import Connection

from services.chassis import log, migration
from services.chassis.clock import Clock, SystemClock
from services.chassis.contract import Contract, ContractError, load_contract
from services.chassis.database import Database
from services.chassis.evidence import RefusalLog
from services.chassis.identity import Issuers, Sessions
from services.chassis.metrics import Metrics
from services.chassis.pipeline import Handler, Pipeline, stages
from services.chassis.process import ProcessSettings, certificate_of, peer_names, read_secret
from services.chassis.recorder import RefusalRecorder
from services.chassis.server import Certificate, Server
from services.chassis.start_error import StartError

_OBJECTS_BETWEEN_COLLECTIONS = 20_000


class Background(Protocol):
    """Something that runs beside the server."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process's own objects are made with."""

    process: str
    settings: ProcessSettings
    contract: Contract
    clock: Clock
    log: Any
    metrics: Metrics
    database: Database
    secret: bytes
    certificate: Certificate
    refusals: RefusalLog


def prepare(process: str, settings: ProcessSettings, migrations: Path) -> Parts:
    """The common parts; the database's schema is checked.

    Raises StartError, SchemaMismatch, ContractError, or Unavailable where
    the database cannot be reached.
    """
    # gRPC prints handshakes that fail; they are counted, not printed.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    log.configure(process)
    try:
        database = Database(
            settings.database_url,
            pool_size=settings.workers + 8,
            timeout_ms=settings.database_timeout_ms,
        )
    except ValueError as error:
        raise StartError(f"database_url: {error}") from None
    with database.transaction() as connection:
        migration.check(connection, migrations)
    return Parts(
        process=process,
        settings=settings,
        contract=load_contract(),
        clock=SystemClock(),
        log=log.get_logger(process),
        metrics=Metrics(),
        database=database,
        secret=read_secret(settings.secret),
        certificate=certificate_of(process, settings.certificates),
        refusals=RefusalLog(settings.refusals_per_minute),
    )


def serve(
    parts: Parts,
    handlers: Mapping[str, Handler],
    pseudonym: Callable[[Connection, str, str], str],
    backgrounds: Sequence[Background],
    stop: threading.Event,
    ready: Callable[[], None],
    sessions: Sessions | None = None,
) -> None:
    """Serve until `stop`; `handlers` by RPC path has to cover the process's contract.

    `sessions` knows the persons concerned, in the process that opens sessions.

    Raises ContractError for an RPC without handler, StartError for an
    unreadable issuers file, AddressInUse.
    """
    missing = {m.path for m in parts.contract.of_process(parts.process)} ^ set(handlers)
    if missing:
        raise ContractError(f"handlers and contract differ: {', '.join(sorted(missing))}")
    recorder = RefusalRecorder(parts.database, parts.refusals, parts.clock, pseudonym)
    steps = stages(
        parts.log, parts.metrics, peer_names(), _issuers(parts), recorder, parts.clock, sessions
    )
    server = Server(
        parts.process,
        parts.contract,
        Pipeline(steps, handlers),
        parts.certificate,
        workers=parts.settings.workers,
        critical_workers=parts.settings.critical_workers,
        reflection=parts.settings.development,
    )
    server.start(parts.settings.listen)
    if parts.settings.metrics:
        parts.metrics.serve(parts.settings.metrics)
    for background in backgrounds:
        background.start()
    _spare_collections()
    server.set_serving(True)
    ready()
    stop.wait()
    server.stop()
    for background in backgrounds:
        background.stop()
    parts.database.close()


def _spare_collections() -> None:
    """Let collections of garbage look at what calls leave, and neither often nor at all the rest.

    A call of a thousand members makes many objects and no cycles; looking at every 700 of them,
    and at the whole program in between, takes a third of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _issuers(parts: Parts) -> Issuers:
    path = parts.settings.issuers
    try:
        return Issuers.from_file(path, parts.clock)
    except (OSError, ValueError, KeyError, TypeError):
        raise StartError(
            f"cannot read the issuers file {path}: it holds "
            '{"issuers": [{"issuer": …, "jwks": …}]}'
        ) from None
