# SPDX-License-Identifier: Apache-2.0
"""The suite's databases: which there are, whose they are, and how they are reached.

Those that the environment names by QUPIA_<PROCESS>_DATABASE_URL (the key store by
QUPIA_VAULT_KEY_STORE_URL) are used as they are; the embedded PostgreSQL serves the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli import postgres
from cli.layout import Layout
from cli.postgres import Cluster
from cli.postgres_databases import DatabaseAccess, ensure_database
from cli.settings import RunSettings

_CODE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Book:
    """One database: the process that uses it, by which setting, and its migrations."""

    name: str
    process: str
    setting: str
    migrations: Path

    @property
    def variable(self) -> str:
        """The environment variable that names it to its process."""
        return f"QUPIA_{self.process.upper()}_{self.setting}"

    @property
    def owner_role(self) -> str:
        """The role that owns its tables."""
        return f"{self.name}_owner"


BOOKS = (
    Book("consent", "consent", "DATABASE_URL", _CODE / "services/consent/migrations"),
    Book("vault", "vault", "DATABASE_URL", _CODE / "services/vault/migrations"),
    Book("keystore", "vault", "KEY_STORE_URL", _CODE / "services/vault/key_store_migrations"),
    Book("disclosure", "disclosure", "DATABASE_URL", _CODE / "services/disclosure/migrations"),
    Book("claims", "claims", "DATABASE_URL", _CODE / "services/claims/migrations"),
    Book("gateway", "gateway", "DATABASE_URL", _CODE / "gateway/migrations"),
)


@dataclass(frozen=True)
class Databases:
    """The databases of a running suite. `cluster` is None where all are named from outside.

    `urls` are the runtime roles' by name; `own` the access to those in the cluster.
    """

    urls: Mapping[str, str] = field(repr=False)
    own: Mapping[str, DatabaseAccess]
    cluster: Cluster | None

    @property
    def running(self) -> bool:
        """Whether our own server lives; others' servers are theirs to watch."""
        return self.cluster is None or self.cluster.running

    def stop(self) -> None:
        """Stops our own server."""
        if self.cluster is not None:
            self.cluster.stop()


def start_databases(layout: Layout, settings: RunSettings, environ: Mapping[str, str]) -> Databases:
    """Starts PostgreSQL where it is needed and makes the databases that are missing.

    Raises PostgresError, psycopg.Error.
    """
    named = {book.name: environ[book.variable] for book in BOOKS if environ.get(book.variable)}
    missing = [book for book in BOOKS if book.name not in named]
    if not missing:
        return Databases(named, {}, None)
    cluster = postgres.start(layout.postgres, fsync=settings.fsync, binaries=settings.postgres)
    try:
        own = _ensure(cluster, missing)
    except BaseException:
        cluster.stop()
        raise
    return Databases(named | {n: access.runtime_url for n, access in own.items()}, own, cluster)


def _ensure(cluster: Cluster, books: Sequence[Book]) -> dict[str, DatabaseAccess]:
    return {
        book.name: ensure_database(
            cluster, book.name, book.owner_role, book.name, cluster.passwords
        )
        for book in books
    }
