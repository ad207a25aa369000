# SPDX-License-Identifier: Apache-2.0
"""A suite that lived, was inspected while it ran and after it stopped; then its databases alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli import postgres
from tests.fsck.books import (
    Books,
    Run,
    at_work,
    command,
    inspection,
    live,
    own_folder,
    pending_claim,
    remove,
)
from tests.harness.running import home_with_databases
from tests.harness.suite import Suite


@dataclass
class Inspected:
    """What `qupia fsck` said of the suite while it ran, and after it stopped."""

    running: Run
    running_json: Run
    busy: Run
    pending: Run
    stopped: Run
    books: Books


@pytest.fixture(scope="session")
def inspected() -> Iterator[Inspected]:
    """One life for all tests of this folder."""
    folder = own_folder()
    try:
        yield from _inspected(home_with_databases(folder))
    finally:
        remove(folder)


def _inspected(home: Path) -> Iterator[Inspected]:
    environ = {"QUPIA_HOME": str(home)}
    with Suite(home=home) as suite:
        live(suite)
        running, running_json = command(environ), inspection(environ, as_json=True)
        with at_work(suite):
            busy = inspection(environ)
        with pending_claim(suite):
            pending = inspection(environ)
    stopped = inspection(environ)
    cluster = postgres.start(home / "postgres", fsync=False)
    try:
        books = Books(cluster, home / "keys" / "vault.json")
        yield Inspected(running, running_json, busy, pending, stopped, books)
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def books(inspected: Inspected) -> Books:
    """The databases, whole; tamper with copies of them."""
    return inspected.books
