# SPDX-License-Identifier: Apache-2.0
"""The working calendar of Kazakhstan and its override file (law.md 2.7, 4.10)."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from holidays.countries.kazakhstan import Kazakhstan

from services.chassis.calendar import (
    CalendarFileError,
    DateOutsideCalendar,
    WorkingCalendar,
    load_calendar,
)


@pytest.fixture(scope="module")
def calendar() -> WorkingCalendar:
    return load_calendar(None)


def _override(folder: Path, text: str) -> Path:
    path = folder / "override.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("day", "worked", "why"),
    [
        ("2026-11-23", True, "a Monday"),
        ("2026-11-28", False, "a Saturday"),
        ("2026-11-29", False, "a Sunday"),
        ("2026-12-16", False, "Independence Day"),
        ("2026-01-07", False, "Orthodox Christmas"),
        ("2026-03-23", False, "Nauryz"),
        ("2026-03-24", False, "substituted for Nauryz on a Saturday"),
        ("2026-03-25", False, "substituted for Nauryz on a Sunday"),
        ("2026-03-26", True, "after Nauryz"),
        ("2027-01-04", False, "substituted for 2 January on a Saturday"),
        ("2024-01-08", True, "Christmas on a Sunday gives no other day off"),
        ("2025-01-03", False, "given in exchange for 5 January"),
        ("2025-01-05", True, "a working Sunday"),
        ("2024-05-08", False, "given in exchange for 4 May"),
        ("2024-05-04", True, "a working Saturday"),
        ("2013-12-28", True, "a working Saturday for a day off in the next year"),
        ("2014-01-03", False, "given in exchange for a day of the year before"),
        ("2025-08-30", False, "Constitution Day until 2025 (and a Saturday)"),
        ("2025-09-01", False, "substituted for Constitution Day"),
        ("2028-08-30", True, "no longer Constitution Day"),
        ("2027-03-15", False, "Constitution Day since 2027"),
        ("2025-06-06", False, "Kurban Ait, confirmed"),
        ("2026-05-27", False, "Kurban Ait, estimated"),
    ],
)
def test_holidays_substituted_days_and_working_weekends_are_known(
    calendar: WorkingCalendar, day: str, worked: bool, why: str
) -> None:
    assert calendar.is_working(date.fromisoformat(day)) is worked, why


def test_every_day_agrees_with_the_library(calendar: WorkingCalendar) -> None:
    library = Kazakhstan(years=range(2012, 2101))
    day = calendar.first_day
    while day <= calendar.last_day:
        assert calendar.is_working(day) is library.is_working_day(day), day
        day += timedelta(days=1)


@pytest.mark.parametrize("day", [date(2012, 12, 31), date(2100, 1, 1), date.min, date.max])
def test_a_date_beyond_the_calendar_is_refused_not_guessed(
    calendar: WorkingCalendar, day: date
) -> None:
    with pytest.raises(DateOutsideCalendar, match=str(day)):
        calendar.is_working(day)


def test_the_moving_feast_is_moved_by_the_override_file(tmp_path: Path) -> None:
    path = _override(tmp_path, "days_off = [2026-05-28]\nworking_days = [2026-05-27]\n")
    moved = load_calendar(path)
    assert moved.is_working(date(2026, 5, 27))
    assert not moved.is_working(date(2026, 5, 28))


def test_the_override_file_makes_and_unmakes_working_weekends(tmp_path: Path) -> None:
    path = _override(tmp_path, "days_off = [2025-01-05]\nworking_days = [2026-11-28]\n")
    moved = load_calendar(path)
    assert not moved.is_working(date(2025, 1, 5))
    assert moved.is_working(date(2026, 11, 28))
    assert not moved.is_working(date(2026, 11, 29))


def test_an_override_that_only_confirms_the_library_changes_no_day(
    tmp_path: Path, calendar: WorkingCalendar
) -> None:
    path = _override(
        tmp_path, "days_off = [2026-05-27, 2026-11-28]\nworking_days = [2026-11-23, 2025-01-05]\n"
    )
    confirmed = load_calendar(path)
    assert confirmed.days_off == calendar.days_off
    assert confirmed.working_weekends == calendar.working_weekends


def test_the_version_names_library_and_override_file(
    tmp_path: Path, calendar: WorkingCalendar
) -> None:
    text = "days_off = [2026-05-28]\n"
    overridden = load_calendar(_override(tmp_path, text))
    assert calendar.version == f"holidays-{version('holidays')}-KZ"
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert overridden.version == f"{calendar.version}+sha256:{digest}"


def test_an_empty_override_file_is_a_calendar_of_its_own_version(
    tmp_path: Path, calendar: WorkingCalendar
) -> None:
    empty = load_calendar(_override(tmp_path, ""))
    assert empty.version != calendar.version
    assert empty.days_off == calendar.days_off


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("days_of = [2026-05-28]", "unknown key 'days_of'"),
        ("days_off = 2026-05-28", "days_off must be a list of dates"),
        ('days_off = ["2026-05-28"]', "no plain date"),
        ("days_off = [20260528]", "no plain date"),
        ("working_days = [2026-05-28T00:00:00]", "no plain date"),
        ("working_days = [2026-05-28T00:00:00Z]", "no plain date"),
        ("days_off = [2026-05-28, 2026-05-28]", "2026-05-28 twice"),
        ("days_off = [2026-05-28]\nworking_days = [2026-05-28]", "2026-05-28 is in both"),
        ("days_off = [2012-05-28]", "before 2013"),
        ("days_off = [2100-05-28]", "after 2099"),
        ("days_off = [2026-02-30]", "is not TOML"),
        ("days_off = [", "is not TOML"),
    ],
)
def test_a_faulty_override_file_is_refused_with_its_fault(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(CalendarFileError, match=fault) as refused:
        load_calendar(_override(tmp_path, text))
    assert str(tmp_path) in str(refused.value)


def test_an_override_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "override.toml"
    path.write_bytes(b"days_off = []\xff")
    with pytest.raises(CalendarFileError, match="is not TOML"):
        load_calendar(path)


def test_a_missing_override_file_is_refused_never_ignored(tmp_path: Path) -> None:
    with pytest.raises(CalendarFileError, match="cannot be read: No such file"):
        load_calendar(tmp_path / "absent.toml")
    with pytest.raises(CalendarFileError, match="cannot be read: Is a directory"):
        load_calendar(tmp_path)


def test_a_calendar_is_shared_between_threads_without_change(calendar: WorkingCalendar) -> None:
    days = [date(2013, 1, 1) + timedelta(days=n) for n in range(0, 30_000, 7)]
    expected = [calendar.is_working(day) for day in days]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: [calendar.is_working(day) for day in days], range(8)))
    assert answers == [expected] * 8


def test_importing_the_calendar_does_not_pay_for_the_holiday_library() -> None:
    program = "import sys, services.chassis.deadline; sys.exit('holidays' in sys.modules)"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True, timeout=30)
