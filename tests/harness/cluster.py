# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL for tests: copies of one cluster that has every database at its newest schema.

To copy its files takes a tenth of what making a cluster, its databases and their tables does. One
cluster serves a whole test run, its workers too; what the copies share are the passwords.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from cli import postgres
from cli.databases import BOOKS
from cli.migrate import bring_up_to_date
from cli.postgres import Cluster, DatabaseAccess, ensure_database

FOLDER_VARIABLE = "TESTS_CLUSTER"
"""Names the folder of the run's cluster to all its processes: an environment variable."""
_OWNERS = {book.name: book.owner_role for book in BOOKS}
_COPY = ("cp", "-a") if sys.platform.startswith("linux") else ("cp", "-Rp")


def open_folder(prefix: str = "qupia-suite-") -> Path:
    """A folder that PostgreSQL's account can enter, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o755)
    return folder


def put_cluster(folder: Path) -> None:
    """Puts a cluster that does not run into a folder: `postgres`, and its passwords beside it."""
    made = Path(os.environ[FOLDER_VARIABLE])
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "cluster").exists():
            _make(made / "new")
            (made / "new").rename(made / "cluster")
    subprocess.run([*_COPY, f"{made / 'cluster'}/.", str(folder)], check=True)


def started(folder: Path) -> Cluster:
    """A server on the cluster in a folder, that writes without waiting for the disk."""
    return postgres.start(folder / "postgres", fsync=False)


@contextmanager
def running_cluster(prefix: str) -> Iterator[Cluster]:
    """A server on a copy, in a folder of its own."""
    folder = open_folder(prefix)
    try:
        put_cluster(folder)
        server = started(folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def book_of(cluster: Cluster, name: str) -> DatabaseAccess:
    """One of the suite's databases, by its name in cli.databases."""
    owner = _OWNERS[name]
    return DatabaseAccess(cluster.url(owner, name), cluster.url(name, name))


def book_like(cluster: Cluster, like: str, name: str) -> DatabaseAccess:
    """Another database with the tables of one of the suite's, and its roles.

    Nobody may be connected to that one. Raises psycopg.Error.
    """
    url = cluster.superuser_url().replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                *map(sql.Identifier, (name, _OWNERS[like], like))
            )
        )
    return ensure_database(cluster, name, _OWNERS[like], like, cluster.passwords)


class Emptier:
    """Takes all rows out of a database, again and again. Close it.

    A table is emptied by TRUNCATE in the time of a thousand rows: for few, deleting them is cheap.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        url = cluster.superuser_url(name).replace("+psycopg", "", 1)
        self._connection = psycopg.connect(url, autocommit=True)
        # Neither what points at a row nor a trigger that keeps it stops a superuser's replica.
        self._connection.execute("SET session_replication_role = replica")
        tables = self._connection.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'schema_version'"
        )
        self._statement = sql.SQL("; ").join(
            sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for (table,) in tables
        )

    def empty(self) -> None:
        """No table has a row any more."""
        self._connection.execute(self._statement)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    data = folder / "postgres"
    server = postgres.start(data, fsync=False)
    try:
        for book in BOOKS:
            access = ensure_database(
                server, book.name, book.owner_role, book.name, server.passwords
            )
            bring_up_to_date(access.owner_url, book.migrations, book.name)
    finally:
        server.stop()
    # What tells of this server alone; of its log, what is set aside for times to come.
    (data / "postmaster.opts").unlink()
    (folder / "postgres.log").unlink()
    _, *unused = sorted((data / "pg_wal").glob("0*"))
    for segment in unused:
        segment.unlink()
