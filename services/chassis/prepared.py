# SPDX-License-Identifier: Apache-2.0
"""Statements that are compiled once and run by libpq itself, for what happens at every read.

Building and compiling a Core statement costs more than PostgreSQL takes to answer it. A prepared
one is written in Core like any other, with a `bindparam` for each value, when its module is
imported; columns of many rows come in as `arrays`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from psycopg.pq.abc import PGresult
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

from services.chassis.session import Session

_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Prepared:
    """One statement, executed in the caller's transaction by the names of its parameters."""

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=_DIALECT)
        assert isinstance(compiled, SQLCompiler)
        self._sql = str(compiled).encode()
        self._places = tuple(compiled.positiontup or ())
        # The statement's own literals; bindparams have their values from the caller.
        self._fixed = {n: bind.value for n, bind in compiled.binds.items() if not bind.required}
        self._make: Any = None

    def rows(self, connection: Connection, **values: Any) -> list[Any]:
        """The rows, each a named tuple of the statement's columns. Raises psycopg.Error."""
        session = Session.of(connection)
        result = self._run(session, values)
        return session.load(result, self._make or self._named(result))

    def first(self, connection: Connection, **values: Any) -> Any:
        """The first row, or None where there is none. Raises psycopg.Error."""
        session = Session.of(connection)
        result = self._run(session, values)
        rows = session.load(result, self._make or self._named(result), most=1)
        return rows[0] if rows else None

    def run(self, connection: Connection, **values: Any) -> int:
        """Run a statement whose rows nobody wants; how many it touched. Raises psycopg.Error."""
        return self._run(Session.of(connection), values).command_tuples or 0

    def _run(self, session: Session, values: dict[str, Any]) -> PGresult:
        given = self._fixed | values
        return session.run(self._sql, [given[place] for place in self._places])

    def _named(self, result: PGresult) -> Any:
        """What makes a row of its values; a statement's columns are always the same."""
        names = [(result.fname(n) or b"").decode() for n in range(result.nfields)]
        row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024
        self._make = row._make
        return self._make


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
