# SPDX-License-Identifier: Apache-2.0
"""The database of a service: few connections, plain transactions, errors without their text.

PostgreSQL puts values into error texts, and SQLAlchemy adds parameters, so a
database error never travels further than here: it becomes Unavailable, or a
DatabaseDefect that carries the SQLSTATE alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import psycopg
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.chassis.refusal import Unavailable
from services.chassis.session import Session

__all__ = [
    "Connection",
    "Database",
    "DatabaseDefect",
    "UniqueViolation",
    "sqlstate_of",
]

# Classes of SQLSTATE that mean "not now" rather than "a defect of ours":
# connection, insufficient resources, operator intervention, lock not
# available, read-only, idle for too long in a transaction, privilege taken
# away, serialization, deadlock, and a refusal raised by a trigger.
_CONNECTION_FAILED = "08006"
_NOT_NOW = ("08", "53", "57", "58", "55P03", "25006", "25P03", "42501", "40", "P0001", "0A000")


class DatabaseDefect(Exception):
    """A database error that is a defect of ours; carries its SQLSTATE, never its text."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(f"SQLSTATE {sqlstate}")


class UniqueViolation(DatabaseDefect):
    """A row with that key stands already; callers that expect it catch it."""


# A service looks for few rows by key, and a plan is kept while its table grows: one that was made
# for a small table, which reads it whole, would be kept for a large one until PostgreSQL next
# counts its rows. So every plan goes by index, whatever is known of the tables; where there is no
# index the whole is read as before. Such plans look dear, which must not set off a compilation.
_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


_MOST_BESIDE = 4


class Database:
    """A pool of connections whose transactions end in a commit or leave nothing.

    At most `pool_size` wait for their next use, and four more may be in use. `timeout_ms` is how
    long a statement, a lock or a free connection is waited for.
    """

    def __init__(self, url: str, *, pool_size: int = 16, timeout_ms: int = 2000) -> None:
        options = (
            f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms} "
            f"-c idle_in_transaction_session_timeout={timeout_ms} -c timezone=UTC "
            "-c synchronous_commit=on "
        ) + " ".join(f"-c {name}={value}" for name, value in _BY_INDEX.items())
        self.engine = create_engine(
            _url(url),
            pool_size=pool_size,
            max_overflow=_MOST_BESIDE,
            pool_timeout=timeout_ms / 1000,
            hide_parameters=True,
            connect_args={
                "options": options,
                "connect_timeout": max(2, timeout_ms // 1000),
                "tcp_user_timeout": timeout_ms,
                "prepare_threshold": 2,
            },
        )
        # Sessions begin and end transactions themselves.
        self._sessions = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._pool_size = pool_size
        self._timeout = timeout_ms / 1000
        self._free = threading.Semaphore(pool_size + _MOST_BESIDE)
        self._resting: deque[Connection] = deque()
        self._generation = 0

    @contextmanager
    def transaction(self, isolation: str | None = None) -> Iterator[Connection]:
        """A transaction that commits on leaving and rolls back on any exception.

        `isolation` is such as ``REPEATABLE READ``; READ COMMITTED where None.
        Raises Unavailable where the database cannot serve or the outcome of
        the commit is unknown; DatabaseDefect for defects.
        """
        with _plain_errors(), self._connection() as connection:
            session = Session.of(connection)
            session.begin(isolation)
            yield connection
            session.commit()

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A connection for statements that read, each by itself: nothing is begun or committed.

        Raises as `transaction` does.
        """
        with _plain_errors(), self._connection() as connection:
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if not self._free.acquire(timeout=self._timeout):
            raise Unavailable(retry_after=1)
        try:
            generation = self._generation
            try:
                connection = self._resting.pop()
            except IndexError:
                connection = self._sessions.connect()
            try:
                yield connection
            finally:
                self._give_back(connection, generation)
        finally:
            self._free.release()

    def _give_back(self, connection: Connection, generation: int) -> None:
        """Let a connection rest, with nothing open; one that was lost takes the others with it."""
        if not connection.invalidated:
            session = Session.of(connection)
            session.roll_back()
            if connection.in_transaction():
                # What SQLAlchemy believes of it; the driver knows that nothing is open any more.
                connection.rollback()
            if session.alive:
                if generation == self._generation and len(self._resting) < self._pool_size:
                    self._resting.append(connection)
                else:
                    connection.close()
                return
            connection.invalidate()
        connection.close()
        # Most likely the server was restarted: nobody else should run into it.
        self._drain()

    def _drain(self) -> None:
        self._generation += 1
        with suppress(IndexError):
            while True:
                connection = self._resting.pop()
                connection.invalidate()
                connection.close()

    def reachable(self) -> bool:
        """Whether a trivial query is answered."""
        try:
            with self.transaction() as connection:
                connection.execute(text("SELECT 1"))
        except (Unavailable, DatabaseDefect):
            return False
        return True

    def close(self) -> None:
        """Close the connections that rest; others once they are given back."""
        self._drain()
        self.engine.dispose()


def _url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the database is named by a URL: postgresql://…") from None
    if parsed.get_backend_name() != "postgresql":
        raise ValueError("the database has to be PostgreSQL: postgresql://…")
    return parsed.set(drivername="postgresql+psycopg")


def sqlstate_of(error: DBAPIError) -> str:
    """The SQLSTATE of a driver error; ``08006`` where the connection itself failed."""
    state = getattr(error.orig, "sqlstate", None)
    return str(state) if state else _CONNECTION_FAILED


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeout:
        raise Unavailable(retry_after=1) from None
    except DBAPIError as error:
        _raise_plain(sqlstate_of(error), lost=error.connection_invalidated)
    except psycopg.Error as error:
        # A prepared statement runs on the driver itself.
        lost = isinstance(error, psycopg.OperationalError)
        _raise_plain(error.sqlstate or (_CONNECTION_FAILED if lost else "none"))
    except SQLAlchemyError:
        raise DatabaseDefect("none") from None


def _raise_plain(state: str, *, lost: bool = False) -> NoReturn:
    if lost or state.startswith(_NOT_NOW):
        raise Unavailable(retry_after=1) from None
    if state == "23505":
        raise UniqueViolation(state) from None
    raise DatabaseDefect(state) from None
