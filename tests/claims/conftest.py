# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL with the claims database, emptied for every test."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from cli.postgres import Cluster, DatabaseAccess
from tests.claims.suite import Suite
from tests.harness.cluster import Emptier, book_of, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server of the tests' own."""
    with running_cluster("qupia-claims-") as server:
        yield server


@pytest.fixture(scope="session")
def access(cluster: Cluster) -> DatabaseAccess:
    """The claims database at its newest revision, used by its runtime role."""
    return book_of(cluster, "claims")


@pytest.fixture(scope="session")
def emptier(cluster: Cluster) -> Iterator[Emptier]:
    with closing(Emptier(cluster, "claims")) as made:
        yield made


@pytest.fixture
def empty(access: DatabaseAccess, emptier: Emptier) -> DatabaseAccess:
    """The claims database without a row."""
    emptier.empty()
    return access


@pytest.fixture
def suite(empty: DatabaseAccess) -> Iterator[Suite]:
    """The claims service that has met its vault."""
    suite = Suite(empty.runtime_url)
    suite.meet_the_vault()
    yield suite
    suite.database.close()
