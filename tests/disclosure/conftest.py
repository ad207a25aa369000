# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of our own for the session; an empty broker for every test."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest
from sqlalchemy import create_engine, text

from cli.postgres import Cluster, DatabaseAccess
from services.chassis.database import Database
from tests.disclosure.house import House
from tests.harness.cluster import Emptier, book_of, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL for all tests."""
    with running_cluster("qupia-disclosure-") as server:
        yield server


@pytest.fixture(scope="session")
def access(cluster: Cluster) -> DatabaseAccess:
    """The broker's database at its newest schema."""
    return book_of(cluster, "disclosure")


@pytest.fixture(scope="session")
def emptier(cluster: Cluster) -> Iterator[Emptier]:
    with closing(Emptier(cluster, "disclosure")) as made:
        yield made


@pytest.fixture
def database(access: DatabaseAccess, emptier: Emptier) -> Iterator[Database]:
    """The emptied database, as the service uses it."""
    emptier.empty()
    service = Database(access.runtime_url, pool_size=8)
    yield service
    service.close()


@pytest.fixture
def locked_evidence(access: DatabaseAccess) -> Callable[[], AbstractContextManager[None]]:
    """Within this context the service may not write evidence."""

    @contextmanager
    def locked() -> Iterator[None]:
        owner = create_engine(access.owner_url, isolation_level="AUTOCOMMIT")
        with owner.connect() as connection:
            connection.execute(text("REVOKE INSERT ON evidence_entries FROM disclosure"))
            yield
            connection.execute(text("GRANT INSERT ON evidence_entries TO disclosure"))
        owner.dispose()

    return locked


@pytest.fixture
def house(database: Database) -> House:
    """An empty broker, known to a vault that knows one subject of each site."""
    return House(database)
