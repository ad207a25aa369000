# SPDX-License-Identifier: Apache-2.0
"""Entries: canonical, append-only, in the transaction of the act; refusals coalesce (I4)."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from cli.postgres import DatabaseAccess
from services.chassis import evidence
from services.chassis.database import Database
from services.chassis.evidence import Entry, RefusalLog, tally_key
from services.chassis.ids import new_uuid
from services.chassis.refusal import BudgetExhausted, Unavailable

NOW = datetime(2026, 5, 12, 9, 30, 15, 123456, tzinfo=UTC)


def _entry(**members: Any) -> Entry:
    own = {
        "event": "data.read",
        "verb": "USE",
        "outcome": evidence.REFUSED,
        "site_id": "demo",
        "principal": f"key/{new_uuid()}",
        "reason": "SUBJECT_BLOCKED",
        "clause": "6.2.3",
        "subject": "0" * 32,
    }
    return Entry(**{**own, **members})


def _rows(database: Database, entry: Entry) -> list[Any]:
    with database.transaction() as connection:
        return list(
            connection.execute(
                text("SELECT entry_id, body FROM evidence_entries WHERE body LIKE :p ORDER BY 1"),
                {"p": f"%{entry.principal}%"},
            )
        )


def _counts(database: Database, entry: Entry) -> list[int]:
    with database.transaction() as connection:
        found = connection.execute(
            text("SELECT count FROM refusal_tallies WHERE principal = :p ORDER BY 1"),
            {"p": entry.principal},
        )
        return [count for (count,) in found]


def test_a_body_is_canonical_and_leaves_out_what_is_empty() -> None:
    entry = _entry(refs={"b": "2", "a": "Ә"}, role="", decided_on={})
    body = entry.body(NOW)
    parsed = json.loads(body)
    assert body == json.dumps(parsed, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert "role" not in parsed
    assert "decidedOn" not in parsed
    assert parsed["recordTime"] == "2026-05-12T09:30:15.123456+00:00"
    assert list(parsed["refs"]) == ["a", "b"]


def test_the_same_instant_has_one_body_in_whatever_zone_it_is_told() -> None:
    entry = _entry()
    almaty = NOW.astimezone(timezone(timedelta(hours=5)))
    assert entry.body(NOW) == entry.body(almaty)
    digest = hashlib.sha256(entry.body(NOW).encode()).hexdigest()
    assert digest == hashlib.sha256(entry.body(NOW).encode()).hexdigest()


def _append_and_fail(database: Database, entry: Entry) -> None:
    with database.transaction() as connection:
        evidence.append(connection, entry, NOW)
        raise RuntimeError


def _act(database: Database, entry: Entry) -> None:
    act = text("INSERT INTO deciders VALUES (:d, 1, false)")
    with database.transaction() as connection:
        connection.execute(act, {"d": entry.principal})
        evidence.append(connection, entry, NOW)


def test_an_entry_stands_with_its_act_or_not_at_all(database: Database) -> None:
    entry = _entry()
    with pytest.raises(RuntimeError):
        _append_and_fail(database, entry)
    assert _rows(database, entry) == []
    with database.transaction() as connection:
        evidence.append(connection, entry, NOW)
    assert [(r.entry_id, r.body) for r in _rows(database, entry)] == [
        (entry.entry_id, entry.body(NOW))
    ]


def test_nothing_to_record_is_recorded_as_nothing(database: Database) -> None:
    with database.transaction() as connection:
        evidence.append_all(connection, [], NOW)


@pytest.fixture
def unwritable(access: DatabaseAccess) -> Iterator[None]:
    """Nobody may add to the evidence."""
    url = access.owner_url.replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("REVOKE INSERT ON evidence_entries FROM vault")
        yield
        owner.execute("GRANT INSERT ON evidence_entries TO vault")


def test_what_cannot_be_recorded_is_unavailable_and_takes_its_act_with_it(
    database: Database,
    unwritable: None,  # noqa: ARG001 - only to be in force
) -> None:
    entry = _entry()
    with pytest.raises(Unavailable):
        _act(database, entry)
    with database.transaction() as connection:
        found = connection.execute(
            text("SELECT 1 FROM deciders WHERE decider = :d"), {"d": entry.principal}
        )
        assert found.all() == []
    with pytest.raises(Unavailable), database.transaction() as connection:
        RefusalLog(10).record(connection, entry, NOW)
    assert _counts(database, entry) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE evidence_entries SET body = ''", "DELETE FROM evidence_entries"]
)
def test_entries_are_neither_changed_nor_deleted(database: Database, statement: str) -> None:
    with pytest.raises(Unavailable), database.transaction() as connection:
        connection.execute(text(statement))


def test_the_same_refusal_of_a_minute_is_one_entry_with_a_count(database: Database) -> None:
    first, log = _entry(), RefusalLog(100)
    ids = set()
    for second in range(5):
        again = _entry(principal=first.principal)
        with database.transaction() as connection:
            ids.add(log.record(connection, again, NOW + timedelta(seconds=second)))
    assert len(ids) == 1
    assert _counts(database, first) == [5]
    assert [r.entry_id for r in _rows(database, first)] == list(ids)
    with database.transaction() as connection:
        later = log.record(
            connection, _entry(principal=first.principal), NOW + timedelta(minutes=1)
        )
    assert later not in ids
    assert len(_rows(database, first)) == 2


@pytest.mark.parametrize(
    "members",
    [
        {"subject": "1" * 32},
        {"reason": "NOT_FOUND"},
        {"event": "data.stored"},
        {"clause": "2.2"},
        {"role": "AUDITOR"},
        {"refs": {"order_id": "A-1"}},
        {"site_id": "other"},
    ],
)
def test_another_refusal_is_another_entry(database: Database, members: dict[str, Any]) -> None:
    first, log = _entry(), RefusalLog(100)
    other = _entry(principal=first.principal, **members)
    with database.transaction() as connection:
        assert log.record(connection, first, NOW) == first.entry_id
        assert log.record(connection, other, NOW) == other.entry_id
    assert tally_key(first) != tally_key(other)
    assert len(_rows(database, first)) == 2


def test_a_release_that_is_refused_again_and_again_is_one_entry(database: Database) -> None:
    first, log = _entry(refs={"release_id": "a"}), RefusalLog(100)
    again = _entry(principal=first.principal, refs={"release_id": "b"})
    with database.transaction() as connection:
        assert log.record(connection, first, NOW) == log.record(connection, again, NOW)


def test_past_the_budget_nothing_is_written(database: Database) -> None:
    first, log = _entry(), RefusalLog(2)
    for _ in range(2):
        with database.transaction() as connection:
            log.record(connection, _entry(principal=first.principal), NOW)
    for subject in ("0" * 32, "1" * 32):
        with pytest.raises(BudgetExhausted), database.transaction() as connection:
            log.record(connection, _entry(principal=first.principal, subject=subject), NOW)
    assert _counts(database, first) == [2]
    with database.transaction() as connection:
        log.record(connection, _entry(), NOW)
        later = _entry(principal=first.principal)
        log.record(connection, later, NOW + timedelta(minutes=1))


def test_refusals_at_once_are_all_counted(database: Database) -> None:
    first, log = _entry(), RefusalLog(1000)

    def one(_: int) -> str:
        with database.transaction() as connection:
            return log.record(connection, _entry(principal=first.principal), NOW)

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(one, range(40)))
    assert len(ids) == 1
    assert _counts(database, first) == [40]
    assert len(_rows(database, first)) == 1


def test_refusals_of_a_batch_are_counted_as_if_they_came_one_by_one(database: Database) -> None:
    first = _entry()
    again, other = _entry(principal=first.principal), _entry(principal=first.principal, clause="2")
    stranger = _entry()
    with database.transaction() as connection:
        told = RefusalLog(10).record_all(connection, [again, other, first, stranger], NOW)
        later = RefusalLog(10).record_all(connection, [first, stranger], NOW)
    assert told[0] == told[2] == later[0] in (first.entry_id, again.entry_id)
    assert (told[1], told[3], later[1]) == (other.entry_id, stranger.entry_id, stranger.entry_id)
    assert _tallied(database, first.principal) == {other.entry_id: 1, told[0]: 3}
    assert (len(_rows(database, first)), len(_rows(database, stranger))) == (2, 1)


def test_in_a_batch_too_what_is_past_the_budget_is_not_recorded(database: Database) -> None:
    name = f"key/{new_uuid()}"
    refused = [_entry(principal=name, subject=f"{n:032x}") for n in range(5)]
    others = [_entry(subject=f"{n:032x}") for n in range(5)]
    with database.transaction() as connection:
        told = RefusalLog(3).record_all(connection, refused + others, NOW)
    assert sum(each is None for each in told) == sum(each is None for each in told[:5]) == 2
    assert len(_tallied(database, name)) == 3


def _tallied(database: Database, principal: str) -> dict[str, int]:
    with database.transaction() as connection:
        rows = connection.execute(
            text("SELECT entry_id, count FROM refusal_tallies WHERE principal = :principal"),
            {"principal": principal},
        )
        return {str(row[0]): int(row[1]) for row in rows}
