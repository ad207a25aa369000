# SPDX-License-Identifier: Apache-2.0
"""Sets one database of a suite back to an earlier state, while its process is dead."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import psutil
import psycopg
from psycopg import sql

from tests.harness.suite import Suite
from tests.harness.waiting import wait_until


def _pid(suite: Suite, process: str) -> int | None:
    pid: int | None = suite.state["processes"][process]["pid"]
    return pid


@contextmanager
def without(suite: Suite, process: str) -> Iterator[None]:
    """The process is dead within, however long it takes; afterwards it runs again."""
    with suite.unattended():
        killed = suite.kill(process)
        dead = psutil.Process(killed)
        wait_until(lambda: dead.status() == psutil.STATUS_ZOMBIE, f"{process} did not die")
        yield
    wait_until(lambda: _pid(suite, process) not in (None, killed), f"{process} did not come back")


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

    def is_run() -> bool:
        try:
            with _connected(suite, "postgres") as connection:
                connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            return False
        return True

    wait_until(is_run, "the sessions of the dead process did not end")
