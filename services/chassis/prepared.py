# SPDX-License-Identifier: Apache-2.0
"""Statements that are compiled once and run on the driver itself, for what happens at every read.

Building and compiling a Core statement costs more than PostgreSQL takes to answer it. A prepared
one is written in Core like any other, with a `bindparam` for each value, when its module is
imported; columns of many rows come in as `arrays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.rows import namedtuple_row
from sqlalchemy import (
    Column,
    ColumnElement,
    Executable,
    Table,
    TableValuedAlias,
    and_,
    bindparam,
    column,
    func,
    insert,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Prepared:
    """One statement, executed in the caller's transaction by the names of its parameters."""

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=_DIALECT)
        assert isinstance(compiled, SQLCompiler)
        self._sql = str(compiled)
        # The statement's own literals; bindparams have their values from the caller.
        self._fixed = {n: bind.value for n, bind in compiled.binds.items() if not bind.required}

    def rows(self, connection: Connection, **values: Any) -> list[Any]:
        """The rows, each a named tuple of the statement's columns. Raises psycopg.Error."""
        return list(self._execute(connection, values).fetchall())

    def first(self, connection: Connection, **values: Any) -> Any:
        """The first row, or None where there is none. Raises psycopg.Error."""
        return self._execute(connection, values).fetchone()

    def run(self, connection: Connection, **values: Any) -> int:
        """Run a statement whose rows nobody wants; how many it touched. Raises psycopg.Error."""
        return int(self._execute(connection, values).rowcount)

    def _execute(self, connection: Connection, values: dict[str, Any]) -> Any:
        driver: Any = connection.connection.driver_connection
        cursor = driver.cursor(binary=True, row_factory=namedtuple_row)
        return cursor.execute(self._sql, self._fixed | values, prepare=True)


def matching(*columns: Column[Any]) -> ColumnElement[bool]:
    """Each column is equal to the parameter of its name."""
    return and_(*(each == bindparam(each.name, type_=each.type) for each in columns))


def inserting(table: Table, *columns: Column[Any]) -> Prepared:
    """One new row; the columns (all where none is named) come as parameters of their names."""
    named = columns or tuple(table.columns)
    return Prepared(insert(table).values({c: bindparam(c.name, type_=c.type) for c in named}))


def given(name: str, **kinds: Any) -> TableValuedAlias:
    """A table `name` whose columns the caller gives, each as an array parameter of its name."""
    return func.unnest(*_parameters(kinds)).table_valued(*_columns(kinds)).render_derived(name)


def given_in_order(name: str, **kinds: Any) -> TableValuedAlias:
    """The same, with the place of every row from 1 as the column `place`."""
    valued = func.unnest(*_parameters(kinds)).table_valued(
        *_columns(kinds), with_ordinality="place"
    )
    return valued.render_derived(name)


def _parameters(kinds: dict[str, Any]) -> Sequence[ColumnElement[Any]]:
    return [bindparam(each, type_=ARRAY(kind)) for each, kind in kinds.items()]


def _columns(kinds: dict[str, Any]) -> Sequence[ColumnElement[Any]]:
    return [column(each, kind) for each, kind in kinds.items()]
