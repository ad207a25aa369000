# SPDX-License-Identifier: Apache-2.0
"""A database error travels without its words (trap 1); what cannot be served is unavailable."""

import threading
import time
import traceback
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import Float, Integer, Text, bindparam, cast, func, select, text
from sqlalchemy.exc import DBAPIError

from cli.postgres import DatabaseAccess
from services.chassis.database import Database, DatabaseDefect, UniqueViolation
from services.chassis.ids import new_uuid
from services.chassis.prepared import Prepared
from services.chassis.refusal import Unavailable
from tests.harness.waiting import PATIENCE_SECONDS

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
        assert 0.9 < time.monotonic() - started < PATIENCE_SECONDS


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


SAME = Prepared(
    select(bindparam("value", type_=Text), cast(func.pg_current_xact_id_if_assigned(), Text))
)


def _count(database: Database, name: str) -> int:
    with database.look() as connection:
        statement = text("SELECT count(*) FROM deciders WHERE decider = :name")
        return int(connection.execute(statement, {"name": name}).scalar_one())


def test_prepared_and_other_statements_are_of_one_transaction(database: Database) -> None:
    assign, name = text("SELECT pg_current_xact_id()::text"), new_uuid()
    insert = text("INSERT INTO deciders VALUES (:n, 1, true)")
    with database.transaction() as connection:
        first = connection.execute(assign).scalar_one()
        assert SAME.first(connection, value="a")[1] == first
        connection.execute(insert, {"n": name})
        assert _count(database, name) == 0
    assert _count(database, name) == 1


def test_what_a_look_reads_is_in_no_transaction(database: Database) -> None:
    with database.look() as connection:
        first = connection.execute(text("SELECT now()")).scalar_one()
        assert connection.execute(text("SELECT now()")).scalar_one() > first


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT * FROM no_such_table"])
def test_a_transaction_that_failed_inside_is_never_taken_for_committed(
    database: Database, statement: str
) -> None:
    name = new_uuid()
    with pytest.raises(DatabaseDefect) as caught:
        _goes_on(database, name, statement)
    assert caught.value.sqlstate == "25P02"
    assert _count(database, name) == 0


def _goes_on(database: Database, name: str, failing: str) -> None:
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO deciders VALUES (:n, 1, true)"), {"n": name})
        with suppress(DBAPIError):
            connection.execute(text(failing))


def test_a_failed_transaction_leaves_nothing_to_the_next(access: DatabaseAccess) -> None:
    """Neither a lock nor an error, on the same connection."""
    database = Database(access.runtime_url, pool_size=1, timeout_ms=1000)
    for fails in (_lock_and_raise, _lock_and_break):
        with pytest.raises((RuntimeError, DatabaseDefect)):
            fails(database)
        with database.transaction() as connection:
            held = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 98")
            assert connection.execute(held).scalar_one() == 0
            assert SAME.first(connection, value="b")[0] == "b"
    database.close()


def _lock_and_raise(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(98)"))
        raise RuntimeError


def _lock_and_break(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(98)"))
        FAILING.run(connection, value="none")


def _break(database: Database) -> None:
    with database.transaction() as connection:
        FAILING.run(connection, value="none")


FAILING = Prepared(select(cast(bindparam("value", type_=Text), Integer)))


def test_a_connection_is_used_again_with_what_is_prepared_on_it(access: DatabaseAccess) -> None:
    """After a rollback too."""
    database = Database(access.runtime_url, pool_size=1, timeout_ms=1000)
    names = text("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%xact_id_if%'")
    found = []
    for _ in range(2):
        with database.transaction() as connection:
            SAME.run(connection, value="c")
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            found.append((pid, connection.execute(names).scalar_one()))
        with pytest.raises(DatabaseDefect):
            _break(database)
    assert found[0] == found[1]
    database.close()


def test_who_was_cut_while_nobody_looked_takes_the_others_along(
    access: DatabaseAccess,
) -> None:
    """After a restart of PostgreSQL one caller notices, not one for each connection."""
    database = Database(access.runtime_url, pool_size=4, timeout_ms=1000)
    with ExitStack() as stack:
        pids = [
            stack.enter_context(database.look())
            .execute(text("SELECT pg_backend_pid()"))
            .scalar_one()
            for _ in range(4)
        ]
    with psycopg.connect(access.runtime_url.replace("+psycopg", "", 1), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", (pids,))
        _await_end(other, pids)
    with pytest.raises(Unavailable), database.transaction() as connection:
        SAME.run(connection, value="d")
    for _ in range(4):
        assert database.reachable()
    database.close()


def _await_end(other: psycopg.Connection[Any], pids: list[int]) -> None:
    there = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
    while other.execute(there, (pids,)).fetchone() != (0,):
        pass


def test_no_more_connections_are_used_than_there_may_be(access: DatabaseAccess) -> None:
    database = Database(access.runtime_url, pool_size=1, timeout_ms=300)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(database.look())
        with pytest.raises(Unavailable):
            _run(database, "SELECT 1")
    _run(database, "SELECT 1")
    database.close()


def test_who_waits_for_a_connection_gets_the_one_that_is_given_back(
    access: DatabaseAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(access.runtime_url, pool_size=1, timeout_ms=20_000)
    waiting, reached, real = threading.Event(), threading.Event(), database._free.acquire

    def acquire(**kinds: Any) -> bool:
        waiting.set()
        return real(**kinds)

    def wait() -> None:
        if database.reachable():
            reached.set()

    thread = threading.Thread(target=wait)
    with ExitStack() as held:
        first = held.enter_context(ExitStack())
        first.enter_context(database.look())
        for _ in range(4):
            held.enter_context(database.look())
        monkeypatch.setattr(database._free, "acquire", acquire)
        thread.start()
        assert waiting.wait(10)
        first.close()
        assert reached.wait(10)
    thread.join()
    database.close()


def test_a_prepared_statement_lets_other_threads_run(database: Database) -> None:
    """Who waits for PostgreSQL waits alone."""
    slow = Prepared(select(func.pg_sleep(bindparam("seconds", type_=Float))))
    woken = threading.Event()

    def wait() -> None:
        with database.look() as connection:
            slow.run(connection, seconds=0.5)
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    turns = 0
    while not woken.wait(0.01):
        turns += 1
    thread.join()
    assert turns > 5
