# SPDX-License-Identifier: Apache-2.0
"""`qupia run`: the whole suite on one machine, from nothing to serving, until it has to stop."""

import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import psycopg
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from cli import run_file
from cli.authority import ensure_certificates
from cli.child import Child
from cli.databases import BOOKS, Databases, start_databases
from cli.development_issuer import DevelopmentIssuer
from cli.health import await_serving
from cli.layout import Layout
from cli.migrate import bring_up_to_date
from cli.port import choose_port
from cli.postgres import PostgresError
from cli.process_environment import MODULES, SERVICES, Addresses, environment_of
from cli.progress import Progress
from cli.seed import Seed
from cli.settings import PROCESSES, RunSettings, run_settings
from cli.stopping import StopRequested, in_peace, stopping_signals
from cli.suite import DatabaseEnded, Deaths, GaveUp, Suite
from cli.welcome import welcome
from services.chassis.calendar import load_calendar
from services.chassis.clock import Clock, SystemClock
from services.chassis.config import ConfigError
from services.chassis.contract import ContractError, load_contract
from services.chassis.start_error import EXIT_CONFIG, EXIT_START, StartError

EXIT_GAVE_UP = 70
_LONGEST_SOCKETS_FOLDER = 80  # a socket's whole path fits 107 bytes


def run(environ: Mapping[str, str] | None = None) -> int:
    """Runs a suite until SIGTERM, Ctrl-C or the terminal's end; returns the exit code.

    0 after a stop, 78 for a wrong configuration, 69 where something cannot start, 70 where a
    process ended again and again.
    """
    environ = dict(os.environ if environ is None else environ)
    # A pipe is written line by line, and by an encoding that knows the signs.
    with suppress(AttributeError):
        sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    progress = Progress(Console(highlight=False))
    try:
        with stopping_signals():
            settings = run_settings(environ)
            Run(settings, environ, progress, SystemClock()).until_stopped()
    except StopRequested:
        progress.say("Stopped; the data are kept.", "dim")
        return 0
    except (ConfigError, ContractError) as error:
        return _failed(error, EXIT_CONFIG)
    except (StartError, PostgresError, psycopg.Error, SQLAlchemyError, OSError) as error:
        return _failed(error, EXIT_START)
    except GaveUp as error:
        return _failed(error, EXIT_GAVE_UP)
    return 0


def _failed(error: Exception, code: int) -> int:
    known = isinstance(error, ConfigError | ContractError | StartError | PostgresError | GaveUp)
    what = str(error) if known or isinstance(error, OSError) else type(error).__name__
    print(f"qupia: {what}", file=sys.stderr)
    return code


@dataclass
class Run:
    """One run of a suite."""

    settings: RunSettings
    environ: Mapping[str, str]
    progress: Progress
    clock: Clock

    def until_stopped(self) -> None:
        """Serves until StopRequested is raised."""
        layout = Layout(self.settings.home.absolute())
        layout.make()
        with layout.lock():
            port = choose_port(self.settings.http_port)
            self._import()
            issuer = self._prepare(layout)
            deaths = Deaths()
            first = True
            while True:
                run_file.remove(layout)
                try:
                    self._serve(layout, port, issuer, first)
                except DatabaseEnded:
                    if self.settings.restart_seconds == "never" or deaths.add():
                        raise GaveUp(f"PostgreSQL ended: see {layout.postgres}.log") from None
                    first = False
                    self.progress.warn("PostgreSQL ended; everything starts again")
                    time.sleep(self.settings.restart_seconds)

    def _import(self) -> None:
        with self.progress.part("code") as part:
            for module in MODULES.values():
                import_module(f"{module}.__main__")
            load_calendar(None)
            rpcs = len(load_contract().methods)
            # What is here already is shared by all processes, and no collection copies it.
            gc.collect()
            gc.freeze()
            part.detail = f"{rpcs} RPCs, every one with its rule"

    def _prepare(self, layout: Layout) -> DevelopmentIssuer:
        with self.progress.part("certificates") as part:
            ensure_certificates(layout.certificates, PROCESSES, self.clock.now())
            for process in SERVICES:
                layout.ensure_secret(process)
            layout.ensure_sites()
            layout.ensure_fields()
            part.detail = f"mutual TLS between {len(PROCESSES)} processes, secrets, issuer"
            return DevelopmentIssuer.ensure(layout)

    def _serve(self, layout: Layout, port: int, issuer: DevelopmentIssuer, first: bool) -> None:
        with self._databases(layout) as databases, _sockets() as sockets:
            addresses = Addresses(sockets, port)
            children = [
                Child(
                    process,
                    MODULES[process],
                    environment_of(process, layout, addresses, databases, self.environ),
                    layout.log_of(process),
                )
                for process in PROCESSES
            ]
            suite = Suite(
                children,
                self.progress,
                self.settings.restart_seconds,
                lambda: databases.running,
                lambda: run_file.write(layout, addresses, databases, children),
            )
            try:
                with suite.awake():
                    self._start(suite)
                    self._seed(layout, suite, addresses, databases, issuer)
                    suite.changed()
                    if first:
                        welcome(self.progress, layout, addresses.gateway)
                    else:
                        self.progress.say("Qupia serves again.", "bold green")
                    suite.watch()
            finally:
                with in_peace():
                    run_file.remove(layout)
                    suite.stop()

    @contextmanager
    def _databases(self, layout: Layout) -> Iterator[Databases]:
        with self.progress.part("database") as part:
            databases = start_databases(layout, self.settings, self.environ)
            part.detail = f"{len(databases.own)} embedded, {len(BOOKS) - len(databases.own)} named"
        try:
            with self.progress.part("migrations") as part:
                changed = [
                    book.name
                    for book in BOOKS
                    if book.name in databases.own
                    and bring_up_to_date(
                        databases.own[book.name].owner_url, book.migrations, book.name
                    )
                ]
                part.detail = f"ran for {', '.join(changed)}" if changed else "nothing to do"
            yield databases
        finally:
            with in_peace():
                databases.stop()

    def _start(self, suite: Suite) -> None:
        with self.progress.part("processes") as part:
            for child in suite.children:
                _keep_one_older(child.log)
            suite.start()
            part.detail = ", ".join(PROCESSES)

    def _seed(
        self,
        layout: Layout,
        suite: Suite,
        addresses: Addresses,
        databases: Databases,
        issuer: DevelopmentIssuer,
    ) -> None:
        with self.progress.part("health") as part:
            await_serving(addresses.gateway, suite.tick)
            part.detail = f"{addresses.gateway}/healthz"
        with self.progress.part("first things") as part:
            Seed(layout, issuer, self.clock, addresses.gateway, databases.urls["gateway"]).plant()
            part.detail = "two sites, four recipients, keys and people's tokens"


@contextmanager
def _sockets() -> Iterator[Path]:
    base = tempfile.gettempdir()
    if len(base) > _LONGEST_SOCKETS_FOLDER:
        raise StartError(f"the folder {base} is too long for sockets: set TMPDIR to a shorter one")
    folder = Path(tempfile.mkdtemp(prefix=run_file.SOCKETS_PREFIX, dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_one_older(log: Path) -> None:
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
