# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL with the claims database, emptied for every test."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli import postgres
from cli.postgres import Cluster, DatabaseAccess
from services.chassis import migration
from tests.claims.suite import Suite

MIGRATIONS = Path(__file__).parents[2] / "services" / "claims" / "migrations"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server of the tests' own."""
    folder = Path(tempfile.mkdtemp(prefix="qupia-claims-"))
    folder.chmod(0o755)
    server = postgres.start(folder / "postgres", fsync=False)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def access(cluster: Cluster) -> DatabaseAccess:
    """The claims database at its newest revision, used by its runtime role."""
    access = postgres.ensure_database(
        cluster, "claims", "claims_owner", "claims", cluster.passwords
    )
    migration.upgrade(access.owner_url, MIGRATIONS, "claims")
    return access


@pytest.fixture
def empty(access: DatabaseAccess) -> DatabaseAccess:
    """The claims database without a row."""
    with psycopg.connect(access.owner_url.replace("+psycopg", "", 1), autocommit=True) as owner:
        tables = owner.execute(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'schema_version'"
        ).fetchone()
        assert tables is not None
        owner.execute(f"TRUNCATE {tables[0]}")
    return access


@pytest.fixture
def suite(empty: DatabaseAccess) -> Iterator[Suite]:
    """The claims service that has met its vault."""
    suite = Suite(empty.runtime_url)
    suite.meet_the_vault()
    yield suite
    suite.database.close()
