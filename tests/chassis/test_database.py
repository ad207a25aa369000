# SPDX-License-Identifier: Apache-2.0
"""A database error travels without its words (trap 1); what cannot be served is unavailable."""

import time
import traceback

import psycopg
import pytest
from sqlalchemy import text

from cli.postgres import DatabaseAccess
from services.chassis.database import Database, DatabaseDefect, UniqueViolation
from services.chassis.ids import new_uuid
from services.chassis.refusal import Unavailable

CANARY = "nursultan@example.kz"


def _run(database: Database, statement: str, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), values)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO deciders VALUES (:x, 1, true), (:x, 1, true)", UniqueViolation),
        ("INSERT INTO deciders VALUES (:x, NULL, true)", DatabaseDefect),
        ("SELECT CAST(CAST(:x AS text) AS integer)", DatabaseDefect),
        ("SELECT * FROM no_such_table WHERE x = :x", DatabaseDefect),
        ("DELETE FROM evidence_entries WHERE body = :x", Unavailable),
        ("SELECT pg_sleep(5), CAST(:x AS text)", Unavailable),
    ],
)
def test_no_word_of_the_database_leaves_with_its_error(
    database: Database, statement: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        _run(database, statement, x=CANARY)
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in str(caught.value) + repr(caught.value)
    assert CANARY not in shown.replace(f'x="{CANARY}"', "")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def _fails_after(database: Database, statement: str, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), values)
        raise RuntimeError


def test_a_transaction_commits_whole_or_not_at_all(database: Database) -> None:
    name, statement = new_uuid(), "INSERT INTO deciders VALUES (:n, 1, true)"
    with pytest.raises(RuntimeError):
        _fails_after(database, statement, n=name)
    _run(database, statement, n=name)


def test_nobody_waits_for_a_lock_longer_than_the_limit(
    database: Database, access: DatabaseAccess
) -> None:
    url = access.owner_url.replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("SELECT pg_advisory_lock(99)")
        started = time.monotonic()
        with pytest.raises(Unavailable):
            _run(database, "SELECT pg_advisory_xact_lock(99)")
        assert 0.9 < time.monotonic() - started < 2.5


def test_a_pool_without_a_free_connection_is_unavailable(access: DatabaseAccess) -> None:
    database = Database(access.runtime_url, pool_size=1, timeout_ms=300)
    open_ = [database.engine.connect() for _ in range(5)]
    with pytest.raises(Unavailable):
        _run(database, "SELECT 1")
    for connection in open_:
        connection.close()
    _run(database, "SELECT 1")
    database.close()


def test_a_connection_that_was_cut_is_replaced(database: Database) -> None:
    with pytest.raises(Unavailable):
        _run(database, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert database.reachable()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql://nobody:secret@/nothing?host=/nowhere", timeout_ms=500)
    assert not database.reachable()
    with pytest.raises(Unavailable) as caught:
        _run(database, "SELECT 1")
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    database.close()


@pytest.mark.parametrize("url", ["sqlite://", "mysql://a@b/c", "nonsense", ""])
def test_only_postgresql_is_accepted_and_a_url_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="database") as caught:
        Database(url)
    if url:
        assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TimeZone", "UTC"),
        ("synchronous_commit", "on"),
        ("statement_timeout", "1s"),
        ("lock_timeout", "1s"),
        ("idle_in_transaction_session_timeout", "1s"),
        ("transaction_isolation", "read committed"),
    ],
)
def test_every_session_is_set_up_alike(database: Database, setting: str, value: str) -> None:
    with database.transaction() as connection:
        assert connection.execute(text(f"SHOW {setting}")).scalar() == value


def test_a_transaction_may_ask_for_another_isolation(database: Database) -> None:
    for asked, stands in (("REPEATABLE READ", "repeatable read"), (None, "read committed")):
        with database.transaction(asked) as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar() == stands
