# SPDX-License-Identifier: Apache-2.0
"""The database of a service: one engine, plain transactions, errors without their text.

PostgreSQL puts values into error texts, and SQLAlchemy adds parameters, so a
database error never travels further than here: it becomes Unavailable, or a
DatabaseDefect that carries the SQLSTATE alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.chassis.refusal import Unavailable

__all__ = [
    "Connection",
    "Database",
    "DatabaseDefect",
    "UniqueViolation",
    "sqlstate_of",
]

# Classes of SQLSTATE that mean "not now" rather than "a defect of ours":
# connection, insufficient resources, operator intervention, lock not
# available, read-only, privilege taken away, serialization, deadlock, and a
# refusal raised by a trigger.
_CONNECTION_FAILED = "08006"
_NOT_NOW = ("08", "53", "57", "58", "55P03", "25006", "42501", "40", "P0001", "0A000")


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


class Database:
    """An engine whose transactions end in a commit or leave nothing."""

    def __init__(self, url: str, *, pool_size: int = 16, timeout_ms: int = 2000) -> None:
        options = (
            f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms} "
            f"-c idle_in_transaction_session_timeout={timeout_ms} -c timezone=UTC "
            "-c synchronous_commit=on "
        ) + " ".join(f"-c {name}={value}" for name, value in _BY_INDEX.items())
        self.engine = create_engine(
            _url(url),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=timeout_ms / 1000,
            hide_parameters=True,
            connect_args={
                "options": options,
                "connect_timeout": max(2, timeout_ms // 1000),
                "tcp_user_timeout": timeout_ms,
                "prepare_threshold": 2,
            },
        )
        self._looking = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self, isolation: str | None = None) -> Iterator[Connection]:
        """A transaction that commits on leaving and rolls back on any exception.

        `isolation` is such as ``REPEATABLE READ``; READ COMMITTED where None.
        Raises Unavailable where the database cannot serve or the outcome of
        the commit is unknown; DatabaseDefect for defects.
        """
        with _plain_errors(), self.engine.connect() as connection:
            if isolation:
                connection.execution_options(isolation_level=isolation)
            with connection.begin():
                yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A connection for statements that read, each by itself: nothing is begun or committed.

        Raises as `transaction` does.
        """
        with _plain_errors(), self._looking.connect() as connection:
            yield connection

    def reachable(self) -> bool:
        """Whether a trivial query is answered."""
        try:
            with self.transaction() as connection:
                connection.execute(text("SELECT 1"))
        except (Unavailable, DatabaseDefect):
            return False
        return True

    def close(self) -> None:
        """Close the pooled connections."""
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
