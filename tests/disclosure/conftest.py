# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of our own for the session; an empty broker for every test."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import services.disclosure
from cli import postgres
from cli.postgres import Cluster, DatabaseAccess, ensure_database
from services.chassis import migration
from services.chassis.database import Database
from services.disclosure.tables import metadata
from tests.disclosure.house import House

MIGRATIONS = Path(services.disclosure.__file__).parent / "migrations"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="qupia-disclosure-"))
    folder.chmod(0o755)
    cluster = postgres.start(folder / "postgres", fsync=False)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def access(cluster: Cluster) -> DatabaseAccess:
    """The broker's database at its newest schema."""
    return broker_database(cluster, "disclosure")


def broker_database(cluster: Cluster, name: str) -> DatabaseAccess:
    """A database of that name, at a broker's newest schema."""
    found = ensure_database(cluster, name, f"{name}_owner", name, cluster.passwords)
    migration.upgrade(found.owner_url, MIGRATIONS, name)
    return found


@pytest.fixture
def database(access: DatabaseAccess) -> Iterator[Database]:
    """The emptied database, as the service uses it."""
    own = [table.name for table in metadata.sorted_tables]
    common = ["evidence_entries", "refusal_tallies", "idempotency_keys", "subject_pseudonyms"]
    common += ["receipt_keys", "sealed_documents", "sealing_keys"]
    common += ["recall_cursor", "recalls", "notices"]
    protocol = ["slices", "acts", "outbox", "decider_state"]
    owner = create_engine(access.owner_url)
    with owner.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(own + common + protocol)}"))
    owner.dispose()
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
