# SPDX-License-Identifier: Apache-2.0
"""A desk per module, a PostgreSQL for those who need one."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import services.vault
from cli import postgres
from cli.postgres import DatabaseAccess
from services.chassis import migration
from services.chassis.database import Database
from tests.chassis.desk import Desk

_MIGRATIONS = Path(services.vault.__file__).parent / "migrations"


@pytest.fixture
def quiet() -> Iterator[None]:
    """The log is as it was, afterwards."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def desk(quiet: None) -> Iterator[Desk]:  # noqa: ARG001 - only to be put back
    """A server of the vault's contract without a vault."""
    desk = Desk()
    yield desk
    desk.close()


@pytest.fixture(scope="session")
def access() -> Iterator[DatabaseAccess]:
    """A database with the tables that every service has."""
    folder = Path(tempfile.mkdtemp(prefix="qc-", dir="/tmp"))
    folder.chmod(0o755)
    cluster = postgres.start(folder / "postgres", fsync=False)
    try:
        access = postgres.ensure_database(
            cluster, "common", "common_owner", "common", cluster.passwords
        )
        migration.upgrade(access.owner_url, _MIGRATIONS, "common")
        yield access
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database(access: DatabaseAccess) -> Iterator[Database]:
    """That database as a service uses it."""
    database = Database(access.runtime_url, pool_size=8, timeout_ms=1000)
    yield database
    database.close()
