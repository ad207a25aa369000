# SPDX-License-Identifier: Apache-2.0
"""The working calendar of Kazakhstan: which local dates are working days (law.md 2.7, 4.10).

A five-day week, the public holidays with their substituted days off and working weekends from the
`holidays` library, and an override file for what a decree or the moon decides late (the feast of
Kurban Ait is only estimated in advance):

    days_off = [2026-05-28]
    working_days = [2026-05-27]
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

# The law on personal data is of 2013; the library's table of moving feasts ends with 2100.
_FIRST_DAY = date(2013, 1, 1)
_LAST_DAY = date(2099, 12, 31)
_SATURDAY = 5
_DAYS_OFF = "days_off"
_WORKING_DAYS = "working_days"


class CalendarFileError(ValueError):
    """The override file cannot be used; the message names the file and the fault."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"calendar override file {path}: {fault}")


class DateOutsideCalendar(ValueError):
    """The calendar says nothing about this date, so no term may be computed with it."""

    def __init__(self, day: date, calendar: "WorkingCalendar") -> None:
        super().__init__(
            f"{day} is outside the working calendar ({calendar.first_day} to {calendar.last_day})"
        )


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Working days from `first_day` to `last_day`, both inclusive; immutable, safe to share.

    `version` names the library release and the override file, and is stored with every due date.
    `days_off` holds weekdays that are not worked, `working_weekends` weekend days that are.
    """

    version: str
    first_day: date
    last_day: date
    days_off: frozenset[date] = field(repr=False)
    working_weekends: frozenset[date] = field(repr=False)

    def require(self, day: date) -> None:
        """Raise DateOutsideCalendar unless the calendar covers `day`."""
        if not self.first_day <= day <= self.last_day:
            raise DateOutsideCalendar(day, self)

    def is_working(self, day: date) -> bool:
        """Say whether the local date `day` is worked; raises DateOutsideCalendar."""
        self.require(day)
        if _is_weekend(day):
            return day in self.working_weekends
        return day not in self.days_off


def load_calendar(override: Path | None) -> WorkingCalendar:
    """Build the calendar from the installed library and, if given, an override file.

    The override wins over the library. Raises CalendarFileError (missing or malformed file, an
    unknown key, a value that is no date, a date twice or in both lists or out of range).
    """
    version, holidays, worked = _library_days()
    if override is None:
        return _calendar(version, holidays, worked)
    content = _read(override)
    extra_off, extra_worked = _parse(override, content)
    return _calendar(
        f"{version}+sha256:{sha256(content).hexdigest()}",
        (holidays - extra_worked) | extra_off,
        (worked - extra_off) | extra_worked,
    )


def _calendar(version: str, off: frozenset[date], worked: frozenset[date]) -> WorkingCalendar:
    return WorkingCalendar(
        version=version,
        first_day=_FIRST_DAY,
        last_day=_LAST_DAY,
        days_off=frozenset(day for day in off if not _is_weekend(day)),
        working_weekends=frozenset(day for day in worked if _is_weekend(day)),
    )


@cache
def _library_days() -> tuple[str, frozenset[date], frozenset[date]]:
    # Imported here: the package costs about 90 ms, which no other user of this module should pay.
    from holidays.countries.kazakhstan import Kazakhstan  # noqa: PLC0415
    from holidays.version import __version__  # noqa: PLC0415

    # All years at once, because the library's own object grows while it is asked, which threads
    # must not share; and one year more, because a day may be worked in exchange for one in the
    # year after (28 December 2013 for 3 January 2014).
    table = Kazakhstan(years=range(_FIRST_DAY.year, _LAST_DAY.year + 2))
    return f"holidays-{__version__}-KZ", frozenset(table), frozenset(table.weekend_workdays)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CalendarFileError(path, f"cannot be read: {error.strerror}") from error


def _parse(path: Path, content: bytes) -> tuple[frozenset[date], frozenset[date]]:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CalendarFileError(path, f"is not TOML: {error}") from error
    unknown = sorted(table.keys() - {_DAYS_OFF, _WORKING_DAYS})
    if unknown:
        raise CalendarFileError(path, f"unknown key {unknown[0]!r}")
    off = _dates(path, table, _DAYS_OFF)
    worked = _dates(path, table, _WORKING_DAYS)
    for day in sorted(off & worked):
        raise CalendarFileError(path, f"{day} is in both {_DAYS_OFF} and {_WORKING_DAYS}")
    return off, worked


def _dates(path: Path, table: Mapping[str, object], key: str) -> frozenset[date]:
    entries = table.get(key, [])
    if not isinstance(entries, list):
        raise CalendarFileError(path, f"{key} must be a list of dates")
    days: set[date] = set()
    for entry in entries:
        # A TOML date-time is a datetime, which Python counts among the dates.
        if not isinstance(entry, date) or isinstance(entry, datetime):
            raise CalendarFileError(path, f"{key} holds {entry!r}, which is no plain date")
        if not _FIRST_DAY <= entry <= _LAST_DAY:
            raise CalendarFileError(path, f"{key} holds {entry}, before 2013 or after 2099")
        if entry in days:
            raise CalendarFileError(path, f"{key} holds {entry} twice")
        days.add(entry)
    return frozenset(days)


def _is_weekend(day: date) -> bool:
    return day.weekday() >= _SATURDAY
