# SPDX-License-Identifier: Apache-2.0
"""Sets one database of a suite back to an earlier state, while its process is dead."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import psycopg
from psycopg import sql

from tests.harness.suite import Suite

_PATIENCE_SECONDS = 60.0


def dead_pid(suite: Suite, process: str) -> int | None:
    """The id of a process, None while it is dead."""
    pid: int | None = suite.state["processes"][process]["pid"]
    return pid


@contextmanager
def without(suite: Suite, process: str) -> Iterator[None]:
    """The process is killed before and stays dead within; afterwards it runs again.

    QUPIA_RESTART_SECONDS has to leave time enough for what is done within.
    """
    killed = suite.kill(process)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while dead_pid(suite, process) == killed:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield
    assert dead_pid(suite, process) is None, f"{process} came back too soon"
    while dead_pid(suite, process) is None:
        assert time.monotonic() < deadline, f"{process} did not come back"
        time.sleep(0.02)


class Backup(Protocol):
    """An earlier state of one database. Both are called while nobody is connected."""

    def take(self, suite: Suite, name: str) -> None:
        """Keep the present state."""

    def restore(self, suite: Suite, name: str) -> None:
        """Bring the kept state back."""


class AnotherDatabase:
    """A copy that takes the place of the database: another database under the same name."""

    def take(self, suite: Suite, name: str) -> None:
        """Copy the database."""
        copy, owner = sql.Identifier(f"{name}_earlier"), sql.Identifier(f"{name}_owner")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        _run(suite, statement.format(copy, sql.Identifier(name), owner))

    def restore(self, suite: Suite, name: str) -> None:
        """Put the copy in place of the database."""
        copy, place = sql.Identifier(f"{name}_earlier"), sql.Identifier(name)
        _run(suite, sql.SQL("DROP DATABASE {}").format(place))
        _run(suite, sql.SQL("ALTER DATABASE {} RENAME TO {}").format(copy, place))


@dataclass
class SameDatabase:
    """The rows of every table, put back into the very database they were read from."""

    _tables: dict[str, list[bytes]] = field(default_factory=dict)

    def take(self, suite: Suite, name: str) -> None:
        """Read all tables."""
        with _connected(suite, name) as connection:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for (table,) in connection.execute(query).fetchall():
                statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
                with connection.cursor().copy(statement) as copy:
                    self._tables[table] = [bytes(block) for block in copy]

    def restore(self, suite: Suite, name: str) -> None:
        """Write them back, in one transaction."""
        with _connected(suite, name) as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for table, blocks in self._tables.items():
                place = sql.Identifier(table)
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(place))
                with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(place)) as copy:
                    for block in blocks:
                        copy.write(block)


def _connected(suite: Suite, name: str) -> psycopg.Connection:
    url = suite.database_url(name, "superuser").replace("postgresql+psycopg:", "postgresql:", 1)
    return psycopg.connect(url, autocommit=True)


def _run(suite: Suite, statement: sql.Composed) -> None:
    """As the superuser, once the last session of the dead process is gone."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with _connected(suite, "postgres") as connection:
                connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
