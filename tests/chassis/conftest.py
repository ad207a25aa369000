# SPDX-License-Identifier: Apache-2.0
"""A desk per module, a PostgreSQL for those who need one."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from cli.postgres import DatabaseAccess
from services.chassis.database import Database
from tests.chassis.desk import Desk
from tests.harness.cluster import book_of, running_cluster


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
    with running_cluster("qc-") as server:
        yield book_of(server, "vault")


@pytest.fixture
def database(access: DatabaseAccess) -> Iterator[Database]:
    """That database as a service uses it."""
    database = Database(access.runtime_url, pool_size=8, timeout_ms=1000)
    yield database
    database.close()
