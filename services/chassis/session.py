# SPDX-License-Identifier: Apache-2.0
"""A connection to PostgreSQL as a service uses it: its transactions, and what is prepared on it.

Transactions are begun and ended, and prepared statements run, by libpq itself: SQLAlchemy's and
the driver's own way there costs several times what PostgreSQL takes to answer. Any other Core
statement goes the usual way, over the same connection and in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import psycopg
from psycopg._preparing import PrepareManager
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy.engine import Connection

_INFO = "qupia.session"
_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_IDLE = TransactionStatus.IDLE
_BEGIN = {
    None: b"BEGIN",
    "REPEATABLE READ": b"BEGIN ISOLATION LEVEL REPEATABLE READ",
    "SERIALIZABLE": b"BEGIN ISOLATION LEVEL SERIALIZABLE",
}


class _DriversOwn(PrepareManager):
    """What the driver itself has prepared. After a rollback, to a savepoint too, it lets go of what
    is its own, and not of all there is on the connection."""

    def clear(self) -> bool:
        self._counts.clear()
        self._to_flush.extend(self._names.values())
        self._names.clear()
        return bool(self._to_flush)


class Session:
    """One connection; for one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self._driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        self._pg: PGconn = self._driver.pgconn
        own = _DriversOwn()
        own.prepare_threshold = self._driver.prepare_threshold
        self._driver._prepared = own  # noqa: SLF001 - the driver has no setting for it
        self._transformer = Transformer.from_context(self._driver)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}

    @classmethod
    def of(cls, connection: Connection) -> Session:
        """The session of a connection; as old as that with PostgreSQL."""
        info = connection.info
        session = info.get(_INFO)
        if session is None:
            session = info[_INFO] = cls(connection)
        return cast(Session, session)

    @property
    def alive(self) -> bool:
        """Whether nothing is known of its end, and no transaction is open."""
        return self._pg.status == ConnStatus.OK and self._pg.transaction_status == _IDLE

    def begin(self, isolation: str | None) -> None:
        """Begin a transaction. Raises psycopg.Error, KeyError for an isolation there is not."""
        self._command(_BEGIN[isolation])

    def commit(self) -> None:
        """Make it last. Raises psycopg.Error: also where a failed statement has undone it all."""
        if self._command(b"COMMIT").command_status != b"COMMIT":
            raise psycopg.errors.InFailedSqlTransaction

    def roll_back(self) -> None:
        """Undo what is open; a connection that cannot is not `alive` afterwards."""
        if self._pg.status == ConnStatus.OK and self._pg.transaction_status != _IDLE:
            with suppress(psycopg.Error):
                self._command(b"ROLLBACK")

    def run(self, sql: bytes, values: Sequence[object]) -> PGresult:
        """Run a statement with its parameters $1, $2, …; prepared once. Raises psycopg.Error."""
        if self._pg.transaction_status == _IDLE and not self._driver.autocommit:
            self.begin(None)
        transformer = self._transformer
        given: Any = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        kind = (sql, transformer.types or ())
        name = self._prepared.get(kind)
        if name is None:
            name = self._prepare(*kind)
        return self._done(self._pg.exec_prepared(name, given, transformer.formats, Format.BINARY))

    def load(self, result: PGresult, make_row: Any, most: int | None = None) -> list[Any]:
        """The rows of a result, each made of the tuple of its values."""
        self._transformer.set_pgresult(result)
        rows = result.ntuples if most is None else min(most, result.ntuples)
        return self._transformer.load_rows(0, rows, make_row)

    def _prepare(self, sql: bytes, types: tuple[int, ...]) -> bytes:
        name = b"q%d" % len(self._prepared)
        self._done(self._pg.prepare(name, sql, types))
        self._prepared[sql, types] = name
        return name

    def _command(self, command: bytes) -> PGresult:
        return self._done(self._pg.exec_(command))

    def _done(self, result: PGresult) -> PGresult:
        if result.status in _DONE:
            return result
        error = error_from_result(result)
        if error.sqlstate is None and self._pg.status != ConnStatus.OK:
            raise psycopg.OperationalError
        raise error
