# SPDX-License-Identifier: Apache-2.0
"""When a claim falls due: clauses 8.2 and 8.4, Civil Code 173, 175, 176 (law.md 2.7, 4.10)."""

import json
import os
import struct
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from holidays.countries.kazakhstan import Kazakhstan
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.calendar import DateOutsideCalendar, WorkingCalendar, load_calendar
from services.chassis.deadline import (
    Deadline,
    due,
    local_date,
    on_day,
    overdue_before,
    plus_working_days,
)

_VECTORS = json.loads(Path(__file__).with_name("deadline_vectors.json").read_bytes())["vectors"]
_LIBRARY = Kazakhstan(years=range(2012, 2101))
_CALENDAR = load_calendar(None)
_BARE_WEEK = WorkingCalendar(
    version="test-week",
    first_day=date(2013, 1, 1),
    last_day=date(2099, 12, 31),
    days_off=frozenset(),
    working_weekends=frozenset(),
)
# The zone change as the decree has it: clocks went back at 00:00 of 1 March 2024.
_CHANGE = datetime(2024, 2, 29, 18, tzinfo=UTC)
_BEFORE_CHANGE = timezone(timedelta(hours=6))
_AFTER_CHANGE = timezone(timedelta(hours=5))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize("vector", _VECTORS, ids=[vector["name"] for vector in _VECTORS])
def test_terms_end_as_the_requirement_says(vector: dict[str, str]) -> None:
    for receipt in (vector["receiptTime"], vector["localReceiptTime"]):
        received = datetime.fromisoformat(receipt)
        thirty = due(received, 30, _CALENDAR)
        assert thirty.due_date.isoformat() == vector["dueDate30"]
        assert thirty.due_time.isoformat() == vector["dueTime30"]
        assert thirty.due_time.tzinfo is UTC
        assert due(received, 10, _CALENDAR).due_date.isoformat() == vector["dueDate10"]
        for count in (1, 15):
            working = plus_working_days(received, count, _CALENDAR)
            assert working.due_date.isoformat() == vector[f"workingDay{count}"]


@pytest.mark.parametrize(
    ("receipt", "day_zero"),
    [
        ("2026-11-24T00:00:00+05:00", "2026-11-24"),
        ("2026-11-24T00:00:01+05:00", "2026-11-24"),
        ("2026-11-24T03:30:00+05:00", "2026-11-24"),
        ("2026-11-24T04:59:59.999999+05:00", "2026-11-24"),
        ("2026-11-24T05:00:00+05:00", "2026-11-24"),
        ("2026-11-23T23:59:59.999999+05:00", "2026-11-23"),
        ("2024-01-15T05:59:59+06:00", "2024-01-15"),
        ("2024-01-14T18:00:00Z", "2024-01-15"),
        ("2024-01-14T17:59:59Z", "2024-01-14"),
    ],
)
def test_day_zero_is_the_local_date_even_while_utc_has_yesterday(
    receipt: str, day_zero: str
) -> None:
    received = _utc(receipt)
    assert local_date(received).isoformat() == day_zero
    expected = date.fromisoformat(day_zero) + timedelta(days=1)
    assert due(received, 1, _CALENDAR).due_date == expected


def test_a_last_day_of_29_february_2024_has_25_hours() -> None:
    deadline = due(_utc("2024-01-30T12:00:00+06:00"), 30, _CALENDAR)
    assert deadline.due_date == date(2024, 2, 29)
    assert deadline.due_time == _utc("2024-02-29T19:00:00Z")
    assert not deadline.has_passed(_utc("2024-02-29T23:59:59+06:00"))
    assert not deadline.has_passed(_utc("2024-02-29T23:59:59+05:00"))
    assert deadline.has_passed(_utc("2024-03-01T00:00:00+05:00"))


@pytest.mark.parametrize(
    ("receipt", "due_date", "due_time"),
    [
        ("2024-01-29T12:00:00+06:00", "2024-02-28", "2024-02-28T18:00:00Z"),
        ("2024-01-31T12:00:00+06:00", "2024-03-01", "2024-03-01T19:00:00Z"),
        ("2024-02-29T23:30:00+06:00", "2024-04-01", "2024-04-01T19:00:00Z"),
        ("2024-02-29T23:30:00+05:00", "2024-04-01", "2024-04-01T19:00:00Z"),
        ("2024-03-01T00:00:00+05:00", "2024-04-01", "2024-04-01T19:00:00Z"),
        ("2024-03-02T00:00:00+05:00", "2024-04-01", "2024-04-01T19:00:00Z"),
        ("2024-03-03T00:00:00+05:00", "2024-04-02", "2024-04-02T19:00:00Z"),
    ],
)
def test_terms_across_the_zone_change_keep_local_days(
    receipt: str, due_date: str, due_time: str
) -> None:
    deadline = due(_utc(receipt), 30, _CALENDAR)
    assert deadline.due_date.isoformat() == due_date
    assert deadline.due_time == _utc(due_time)


def test_the_repeated_hour_belongs_to_29_february_both_times() -> None:
    assert local_date(_utc("2024-02-29T17:30:00Z")) == date(2024, 2, 29)
    assert local_date(_utc("2024-02-29T18:30:00Z")) == date(2024, 2, 29)
    assert local_date(_utc("2024-02-29T19:00:00Z")) == date(2024, 3, 1)


@pytest.mark.parametrize(
    ("receipt", "due_date", "why"),
    [
        ("2024-12-06T12:00:00+05:00", "2025-01-05", "a working Sunday is a last day"),
        ("2024-12-04T12:00:00+05:00", "2025-01-05", "a day off moves to the working Sunday"),
        ("2024-12-05T12:00:00+05:00", "2025-01-05", "a Saturday moves to the working Sunday"),
        ("2024-04-04T12:00:00+05:00", "2024-05-04", "a working Saturday is a last day"),
        ("2024-04-08T12:00:00+05:00", "2024-05-10", "a substituted day off, then Victory Day"),
        ("2025-12-02T12:00:00+05:00", "2026-01-05", "over New Year and a weekend"),
        ("2026-10-26T12:00:00+05:00", "2026-11-25", "an ordinary Wednesday"),
        ("2028-01-30T12:00:00+05:00", "2028-02-29", "a leap day"),
    ],
)
def test_a_last_day_that_is_not_worked_moves_to_the_next_that_is(
    receipt: str, due_date: str, why: str
) -> None:
    assert due(_utc(receipt), 30, _CALENDAR).due_date.isoformat() == due_date, why


def test_working_days_count_working_weekends_and_skip_substituted_days() -> None:
    # Thursday 2 January 2025: 3 off, 4 Saturday, Sunday 5 worked, 6 worked, 7 Christmas.
    received = _utc("2025-01-02T12:00:00+05:00")
    days = [plus_working_days(received, n, _CALENDAR).due_date.day for n in (1, 2, 3)]
    assert days == [5, 6, 8]


def test_a_term_is_over_at_24_00_and_not_before() -> None:
    deadline = due(_utc("2026-11-23T11:00:00+05:00"), 30, _CALENDAR)
    assert not deadline.has_passed(_utc("2026-12-23T23:59:59.999999+05:00"))
    assert deadline.has_passed(_utc("2026-12-24T00:00:00+05:00"))


def test_a_deadline_names_the_calendar_it_was_computed_with(tmp_path: Path) -> None:
    path = tmp_path / "override.toml"
    path.write_text("days_off = [2026-12-23]\n")
    overridden = load_calendar(path)
    received = _utc("2026-11-23T11:00:00+05:00")
    assert due(received, 30, _CALENDAR).calendar_version == _CALENDAR.version
    assert due(received, 30, overridden).calendar_version == overridden.version
    assert due(received, 30, overridden).due_date == date(2026, 12, 24)
    assert plus_working_days(received, 1, overridden).calendar_version == overridden.version


def test_a_naive_time_is_refused_everywhere() -> None:
    naive = datetime.fromisoformat("2026-11-23T06:00:00")
    deadline = due(naive.replace(tzinfo=UTC), 30, _CALENDAR)
    with pytest.raises(ValueError, match="without zone"):
        due(naive, 30, _CALENDAR)
    with pytest.raises(ValueError, match="without zone"):
        plus_working_days(naive, 1, _CALENDAR)
    with pytest.raises(ValueError, match="without zone"):
        local_date(naive)
    with pytest.raises(ValueError, match="without zone"):
        deadline.has_passed(naive)
    with pytest.raises(ValueError, match="without zone"):
        Deadline(date(2026, 12, 23), naive, "test")


@pytest.mark.parametrize("days", [0, -1])
def test_a_term_without_a_day_is_refused(days: int) -> None:
    received = _utc("2026-11-23T11:00:00+05:00")
    with pytest.raises(ValueError, match="at least one day"):
        due(received, days, _CALENDAR)
    with pytest.raises(ValueError, match="at least one day"):
        plus_working_days(received, days, _CALENDAR)


@pytest.mark.parametrize("receipt", ["2012-12-31T12:00:00Z", "2100-01-01T00:00:00Z"])
def test_a_receipt_beyond_the_calendar_is_refused(receipt: str) -> None:
    with pytest.raises(DateOutsideCalendar):
        due(_utc(receipt), 60, _CALENDAR)
    with pytest.raises(DateOutsideCalendar):
        plus_working_days(_utc(receipt), 30, _CALENDAR)


def test_a_due_date_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(DateOutsideCalendar):
        due(_utc("2099-12-15T00:00:00Z"), 30, _CALENDAR)


@settings(deadline=None)
@given(instant=st.datetimes(timezones=st.just(UTC)), term=st.sampled_from([1, 10, 30]))
def test_any_instant_gives_a_deadline_or_a_value_error(instant: datetime, term: int) -> None:
    try:
        deadline = due(instant, term, _CALENDAR)
    except ValueError:
        return
    assert deadline.due_time > instant


def test_the_ends_of_time_are_refused_as_values() -> None:
    with pytest.raises(ValueError, match="no local date"):
        due(datetime.max.replace(tzinfo=UTC), 30, _CALENDAR)


def _naive_count(received: datetime, days: int, working_only: bool) -> tuple[date, datetime]:
    """Count as on the fingers: one day after another, fixed offsets, the library's own answer."""
    wall = received.astimezone(_BEFORE_CHANGE if received < _CHANGE else _AFTER_CHANGE)
    day = date(wall.year, wall.month, wall.day)
    counted = 0
    while counted < days:
        day += timedelta(days=1)
        if not working_only or _LIBRARY.is_working_day(day):
            counted += 1
    while not _LIBRARY.is_working_day(day):
        day += timedelta(days=1)
    following = day + timedelta(days=1)
    offset = _BEFORE_CHANGE if following < date(2024, 3, 1) else _AFTER_CHANGE
    return day, datetime(following.year, following.month, following.day, tzinfo=offset)


def _receipts(first: str, last: str) -> st.SearchStrategy[datetime]:
    bounds = datetime.fromisoformat(first), datetime.fromisoformat(last)
    return st.datetimes(*bounds, timezones=st.just(UTC))


_RECEIPTS = st.one_of(
    _receipts("2013-01-02", "2099-06-30"),
    _receipts("2024-01-01", "2024-04-30"),
    _receipts("2024-12-01", "2025-01-10"),
)


@settings(max_examples=400, deadline=None)
@given(received=_RECEIPTS, days=st.one_of(st.sampled_from([10, 30]), st.integers(1, 60)))
def test_calendar_days_agree_with_a_naive_count(received: datetime, days: int) -> None:
    deadline = due(received, days, _CALENDAR)
    assert (deadline.due_date, deadline.due_time) == _naive_count(received, days, False)


@settings(max_examples=400, deadline=None)
@given(received=_RECEIPTS, days=st.integers(1, 30))
def test_working_days_agree_with_a_naive_count(received: datetime, days: int) -> None:
    deadline = plus_working_days(received, days, _CALENDAR)
    assert (deadline.due_date, deadline.due_time) == _naive_count(received, days, True)


@settings(max_examples=200, deadline=None)
@given(
    received=_RECEIPTS,
    days=st.integers(1, 40),
    closed=st.sets(st.integers(1, 60), max_size=40),
)
def test_extra_days_off_only_ever_lengthen_a_term(
    received: datetime, days: int, closed: set[int]
) -> None:
    zero = local_date(received)
    days_off = frozenset(zero + timedelta(days=n) for n in closed)
    closed_week = WorkingCalendar(
        "test", _BARE_WEEK.first_day, _BARE_WEEK.last_day, days_off, frozenset()
    )
    plain, lengthened = due(received, days, _BARE_WEEK), due(received, days, closed_week)
    assert lengthened.due_date >= plain.due_date >= zero + timedelta(days=days)
    assert lengthened.due_date not in days_off
    assert lengthened.due_date.weekday() < 5


def test_the_zone_comes_from_the_wheel_even_beside_old_or_absent_zone_files(tmp_path: Path) -> None:
    old_zone = tmp_path / "Asia" / "Almaty"
    old_zone.parent.mkdir()
    # A minimal TZif file that says +06 for ever, as a machine from before 2024 would.
    counts = struct.pack(">6L", 0, 0, 0, 0, 1, 4)
    only_type = struct.pack(">lBB", 6 * 3600, 0, 0) + b"+06\0"
    old_zone.write_bytes(b"TZif" + bytes(16) + counts + only_type)
    program = (
        "from datetime import UTC, datetime; from zoneinfo import ZoneInfo;"
        "from services.chassis.deadline import local_date;"
        "instant = datetime(2026, 11, 23, 18, 30, tzinfo=UTC);"
        "print(instant.astimezone(ZoneInfo('Asia/Almaty')).day, local_date(instant).day)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stdout.split() == ["24", "23"]


@given(
    day=st.integers(0, 75 * 365),
    second=st.integers(0, 24 * 3600 - 1),
    waited=st.integers(0, 40 * 24 * 3600),
    n=st.integers(1, 15),
)
@settings(max_examples=300)
def test_what_is_overdue_was_received_before_one_instant(
    day: int, second: int, waited: int, n: int
) -> None:
    received = datetime(2014, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)
    now = received + timedelta(seconds=waited)
    late = plus_working_days(received, n, _CALENDAR).has_passed(now)
    assert late == (received < overdue_before(now, n, _CALENDAR))


def test_a_day_that_was_named_ends_the_term_although_nobody_works() -> None:
    saturday = on_day(date(2026, 11, 28), _CALENDAR)
    assert (saturday.due_date, saturday.due_time) == (date(2026, 11, 28), _utc("2026-11-28T19:00Z"))
    with pytest.raises(DateOutsideCalendar):
        on_day(date(1990, 1, 1), _CALENDAR)
