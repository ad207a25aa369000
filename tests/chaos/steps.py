# SPDX-License-Identifier: Apache-2.0
"""A database that stops within a commit, so that what has begun it can be killed at that very step.

Whatever the client is told, the commit is completed once it is let go: the answer to it is what
gets lost. It waits no longer than a statement may take (two seconds).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text

from tests.harness.suite import Suite
from tests.harness.waiting import awaited

# A key that no service locks.
_KEY = 0x7175706961
_HOLD = f"""
CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({_KEY}); RETURN NULL; END $$
"""
_WAITING = text(
    "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
    "WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database() "
    f"AND (l.classid::bigint << 32) + l.objid::bigint = {_KEY}"
)


class HeldCommits:
    """Commits that wait; `await_one`, then kill what is to be killed, then `let_go`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def await_one(self) -> int:
        """Waits until a commit is held; the server process that has begun it."""
        return awaited(self._waiting, "no commit came to the step")

    def _waiting(self) -> int | None:
        row = self._connection.execute(_WAITING).first()
        return None if row is None else int(row.pid)

    def end_session(self, pid: int) -> None:
        """Ends the session that has begun the commit: it is rolled back."""
        self._connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    def let_go(self) -> None:
        """Completes what is held; nothing is held any more."""
        self._connection.execute(text("SELECT pg_advisory_unlock_all()"))


@contextmanager
def held_commits(suite: Suite, database: str, event: str) -> Iterator[HeldCommits]:
    """Holds every commit that made `event`, such as INSERT ON releases, in a database."""
    with held_commits_at(suite.database_url(database, "superuser"), event) as held:
        yield held


@contextmanager
def held_commits_at(url: str, event: str) -> Iterator[HeldCommits]:
    """The same in the database of a URL, whose user owns its tables."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _KEY})
        connection.execute(text(_HOLD))
        connection.execute(
            text(
                f"CREATE CONSTRAINT TRIGGER hold_commit AFTER {event} DEFERRABLE "
                "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_commit()"
            )
        )
        try:
            yield HeldCommits(connection)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.execute(text("DROP FUNCTION hold_commit() CASCADE"))
    engine.dispose()
