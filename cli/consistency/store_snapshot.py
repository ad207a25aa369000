# SPDX-License-Identifier: Apache-2.0
"""A read-only view of one database, as it was at the first row that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    collate,
    create_engine,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from services.chassis import migration
from services.chassis.database import sqlstate_of
from services.chassis.migration import SchemaMismatch

T = TypeVar("T")
_AT_ONCE = 1000
_OPTIONS = (
    "-c default_transaction_read_only=on -c statement_timeout=0 "
    "-c idle_in_transaction_session_timeout=0 -c lock_timeout=5s -c timezone=UTC"
)


class CannotRead(Exception):
    """A database cannot be read; the text says which, why, and what to do."""


class Snapshot:
    """One database. `counted` hears how many rows were read, now and then."""

    def __init__(
        self, name: str, url: str, migrations: Path, counted: Callable[[int], None]
    ) -> None:
        self.name = name
        self._migrations = migrations
        self._counted = counted
        self._connection: Connection | None = None
        self._engine = self._engine_of(url)

    def stream(self, statement: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
        """The rows of a statement, by a cursor on the server. Raises CannotRead."""
        try:
            result = self._open().execute(statement, execution_options={"yield_per": _AT_ONCE})
            for rows in result.partitions():
                self._counted(len(rows))
                yield from rows
        except SQLAlchemyError as error:
            raise self._unreadable(error) from None

    def one(self, statement: Select[*tuple[Any, ...]]) -> Row[*tuple[Any, ...]] | None:
        """The only row of a statement, None where there is none. Raises CannotRead."""
        try:
            return self._open().execute(statement).one_or_none()
        except SQLAlchemyError as error:
            raise self._unreadable(error) from None

    def ask(self, read: Callable[[Connection], T]) -> T:
        """What a service's own store reads. Raises CannotRead."""
        try:
            return read(self._open())
        except SQLAlchemyError as error:
            raise self._unreadable(error) from None

    def renew(self) -> None:
        """Forget the view; the next row begins a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """End."""
        self.renew()
        self._engine.dispose()

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                migration.check(connection, self._migrations)
            except SchemaMismatch as mismatch:
                connection.close()
                # Each service counts its own schemas: another's database shows here first.
                raise CannotRead(
                    f"the database {self.name} cannot be read: {mismatch}, "
                    f"if the URL is that of {self.name}"
                ) from None
            self._connection = connection
        return self._connection

    def _engine_of(self, url: str) -> Engine:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise CannotRead(f"the URL of the database {self.name} is none") from None
        if parsed.get_backend_name() != "postgresql":
            raise CannotRead(f"the database {self.name} has to be PostgreSQL: postgresql://…")
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=1,
            isolation_level="REPEATABLE READ",
            hide_parameters=True,
            connect_args={"options": _OPTIONS, "connect_timeout": 5},
        )

    def _unreadable(self, error: SQLAlchemyError) -> CannotRead:
        # The driver's text may hold values; the state alone says what is wrong.
        state = sqlstate_of(error) if isinstance(error, DBAPIError) else "none"
        return CannotRead(
            f"the database {self.name} cannot be read (SQLSTATE {state}): check that it runs and "
            "that the role may read its tables"
        )


def plain(column: ColumnElement[str]) -> ColumnElement[str]:
    """A text column in the order of its code points, which is Python's too."""
    return collate(column, "C")
