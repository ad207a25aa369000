# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL with the consent database; every test has a site of its own."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from cli.postgres import Cluster, DatabaseAccess
from tests.consent.suite import Suite
from tests.harness.cluster import book_of, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server of the tests' own."""
    with running_cluster("qupia-consent-") as server:
        yield server


@pytest.fixture(scope="session")
def access(cluster: Cluster) -> DatabaseAccess:
    """The consent database at its newest revision, used by its runtime role."""
    return book_of(cluster, "consent")


@pytest.fixture
def analyze(access: DatabaseAccess) -> Callable[[str], None]:
    """Brings a table's statistics up to date, as the server does by itself after so many rows."""

    def done(table: str) -> None:
        url = access.owner_url.replace("+psycopg", "", 1)
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))

    return done


@pytest.fixture(scope="session")
def whole_suite(access: DatabaseAccess) -> Iterator[Suite]:
    """The consent service in this process, which has met its vault."""
    suite = Suite(access.runtime_url)
    suite.meet_the_vault()
    yield suite
    suite.database.close()


@pytest.fixture
def suite(whole_suite: Suite) -> Suite:
    """The same with a fresh site, a vault that is there, and the machine's clock."""
    whole_suite.begin()
    return whole_suite
