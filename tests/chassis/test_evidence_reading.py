# SPDX-License-Identifier: Apache-2.0
"""The evidence of a person is read by time, page by page, secrets left out (6.1.3, 5.3)."""

import json
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from cli.postgres import DatabaseAccess
from services.chassis import evidence
from services.chassis.database import Database
from services.chassis.evidence import Entry
from services.chassis.evidence_reading import Place, Recorded, Span, read_entries

NOW = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _entry(subject: str, **members: Any) -> Entry:
    own = {
        "event": "data.read",
        "verb": "USE",
        "outcome": evidence.PERMITTED,
        "site_id": "demo",
        "principal": "key/shop",
        "subject": subject,
    }
    return Entry(**{**own, **members})


def _append(database: Database, entries: Sequence[Entry], time: datetime = NOW) -> list[str]:
    with database.transaction() as connection:
        evidence.append_all(connection, entries, time)
    return [e.entry_id for e in entries]


def _read(database: Database, *subjects: str, limit: int = 100, **rest: Any) -> list[Recorded]:
    with database.transaction() as connection:
        return read_entries(connection, "demo", subjects, limit, **rest)


def _ids(entries: Sequence[Recorded]) -> list[str]:
    return [e.entry_id for e in entries]


def _name() -> str:
    return secrets.token_hex(16)


def test_entries_come_newest_first_with_what_they_say(database: Database) -> None:
    subject = _name()
    first = _entry(subject, refs={"purpose": "NEWS"})
    second = _entry(subject, outcome=evidence.REFUSED, reason="SUBJECT_BLOCKED")
    _append(database, [first])
    _append(database, [second], NOW + MINUTE)
    found = _read(database, subject)
    assert _ids(found) == [second.entry_id, first.entry_id]
    assert [e.record_time for e in found] == [NOW + MINUTE, NOW]
    assert found[1].members == json.loads(first.body(NOW))
    assert (found[0].event, found[0].outcome) == ("data.read", "REFUSED")


def test_nothing_of_another_person_or_site_is_among_them(database: Database) -> None:
    subject, other = _name(), _name()
    own = _append(database, [_entry(subject)])
    _append(database, [_entry(other), _entry(subject, site_id="other"), _entry("")])
    assert _ids(_read(database, subject)) == own
    assert _read(database, _name()) == []
    assert _read(database) == []
    with pytest.raises(ValueError, match="nobody known"):
        _read(database, subject, "")


def test_a_span_takes_its_start_in_and_leaves_its_end_out(database: Database) -> None:
    subject = _name()
    ids = [_append(database, [_entry(subject)], NOW + n * MINUTE)[0] for n in range(4)]
    span = Span(NOW + MINUTE, NOW + 3 * MINUTE)
    assert _ids(_read(database, subject, span=span)) == [ids[2], ids[1]]
    assert _ids(_read(database, subject, span=Span(start=NOW + 3 * MINUTE))) == [ids[3]]
    assert _ids(_read(database, subject, span=Span(end=NOW + MINUTE))) == [ids[0]]


def test_pages_meet_without_gap_or_overlap_also_in_one_instant(database: Database) -> None:
    """A visitor and the account it is linked to are one list."""
    account, visitor = _name(), _name()
    ids = set(_append(database, [_entry(account) for _ in range(5)]))
    ids |= set(_append(database, [_entry(visitor) for _ in range(4)]))
    ids |= set(_append(database, [_entry(visitor)], NOW + MINUTE))
    seen: list[Recorded] = []
    place: Place | None = None
    while page := _read(database, account, visitor, limit=3, after=place):
        assert len(page) <= 3
        seen += page
        place = page[-1].place
    assert len(seen) == len(ids) == 10
    assert set(_ids(seen)) == ids
    order = [(e.record_time, e.entry_id) for e in seen]
    assert order == sorted(order, reverse=True)


def test_a_secret_entry_is_told_from_its_time_on_only(database: Database) -> None:
    subject = _name()
    secret = _entry(subject, secret_until=NOW + MINUTE)
    plain = _entry(subject)
    _append(database, [secret, plain])
    assert _ids(_read(database, subject, told_at=NOW)) == [plain.entry_id]
    assert set(_ids(_read(database, subject, told_at=NOW + MINUTE))) == {
        secret.entry_id,
        plain.entry_id,
    }
    assert len(_read(database, subject)) == 2
    assert json.loads(secret.body(NOW))["secretUntil"] == "2026-05-12T09:31:00.000000+00:00"
    assert "secretUntil" not in json.loads(plain.body(NOW))


def test_a_page_is_read_by_the_index_alone(database: Database, access: DatabaseAccess) -> None:
    """A person with very many entries among very many people costs a page."""
    subject = _name()
    url = access.owner_url.replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO evidence_entries SELECT gen_random_uuid()::text, 'demo', 'data.read',"
            " 'PERMITTED', CASE WHEN n %% 2 = 0 THEN %s ELSE md5(n::text) END,"
            " %s::timestamptz - n * interval '1 second', '{}', NULL"
            " FROM generate_series(1, 20000) n",
            (subject, NOW),
        )
        owner.execute("ANALYZE evidence_entries")
    asked: list[tuple[str, Any]] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3]))
    )
    place = Place(NOW - 100 * MINUTE, "")
    assert len(_read(database, subject, limit=10, after=place, told_at=NOW)) == 10
    (statement, parameters) = asked[-1]
    with database.transaction() as connection:
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        plan = connection.exec_driver_sql(explain, parameters).scalar_one()
    (scan,) = [node for node in _nodes(plan[0]["Plan"]) if "Relation Name" in node]
    assert scan["Index Name"] == "evidence_by_time"
    assert scan["Actual Rows"] <= 10
    assert scan.get("Rows Removed by Filter", 0) == 0


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
