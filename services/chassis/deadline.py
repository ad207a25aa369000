# SPDX-License-Identifier: Apache-2.0
"""All arithmetic of terms: when a claim or a duty falls due (clauses 8.2, 8.4; law.md 2.7, 4.10).

Day 0 is the local date of receipt in Asia/Almaty, day 1 the day after (Civil Code 173). The last
day ends at 24:00 local time (176) and moves to the next working day when it is not worked (175).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from services.chassis.calendar import WorkingCalendar

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last local day of a term, its end and the calendar it was computed with.

    `due_time` is the first UTC instant that is too late: 24:00 local of `due_date`, exclusive.
    Raises ValueError for a naive `due_time`.
    """

    due_date: date
    due_time: datetime
    calendar_version: str

    def __post_init__(self) -> None:
        _require_aware(self.due_time)

    def has_passed(self, now: datetime) -> bool:
        """Say whether the term is over at the aware instant `now` (ValueError if naive)."""
        _require_aware(now)
        return now >= self.due_time


def due(receipt_time: datetime, term_days: int, calendar: WorkingCalendar) -> Deadline:
    """Compute the end of a term of `term_days` calendar days after receipt (clause 8.2).

    Raises ValueError for a naive `receipt_time` or a term under one day, DateOutsideCalendar
    (a ValueError) when receipt or due date are beyond the calendar.
    """
    _require_positive(term_days)
    day = _receipt_day(receipt_time, calendar) + timedelta(days=term_days)
    while not calendar.is_working(day):
        day += _ONE_DAY
    return _deadline(day, calendar)


def plus_working_days(receipt_time: datetime, n: int, calendar: WorkingCalendar) -> Deadline:
    """Compute the end of the `n`-th working day after the local date of `receipt_time`.

    For the statute's clocks in working days (law.md 2.3); raises as `due` does.
    """
    _require_positive(n)
    day = _receipt_day(receipt_time, calendar)
    for _ in range(n):
        day += _ONE_DAY
        while not calendar.is_working(day):
            day += _ONE_DAY
    return _deadline(day, calendar)


def on_day(day: date, calendar: WorkingCalendar) -> Deadline:
    """The term that somebody set by naming its last local day, worked or not.

    Raises DateOutsideCalendar.
    """
    calendar.require(day)
    return _deadline(day, calendar)


def overdue_before(now: datetime, n: int, calendar: WorkingCalendar) -> datetime:
    """The instant before which whatever was received is past its term of `n` working days.

    Raises as `due` does, for `now`.
    """
    _require_positive(n)
    day = _receipt_day(now, calendar)
    for _ in range(n):
        day -= _ONE_DAY
        while not calendar.is_working(day):
            day -= _ONE_DAY
    return datetime.combine(day, time(), tzinfo=_almaty()).astimezone(UTC)


def days_before(deadline: Deadline, days: int) -> datetime:
    """Return the first UTC instant of the local day `days` calendar days before the last one."""
    day = deadline.due_date - timedelta(days=days)
    return datetime.combine(day, time(), tzinfo=_almaty()).astimezone(UTC)


def local_date(instant: datetime) -> date:
    """Return the calendar date in Asia/Almaty at an aware instant.

    Raises ValueError if `instant` is naive or has no date there (the ends of datetime's range).
    """
    _require_aware(instant)
    try:
        return instant.astimezone(_almaty()).date()
    except OverflowError as error:
        raise ValueError("the instant has no local date") from error


def local_time(instant: datetime) -> datetime:
    """Return an aware instant with the offset of Asia/Almaty (ValueError if naive)."""
    _require_aware(instant)
    return instant.astimezone(_almaty())


def _receipt_day(receipt_time: datetime, calendar: WorkingCalendar) -> date:
    day = local_date(receipt_time)
    calendar.require(day)
    return day


def _deadline(day: date, calendar: WorkingCalendar) -> Deadline:
    # 24:00 is 00:00 of the next day. On 29 February 2024 the hour before it came twice; 00:00
    # itself came once, so the term has both hours.
    end = datetime.combine(day + _ONE_DAY, time(), tzinfo=_almaty())
    return Deadline(day, end.astimezone(UTC), calendar.version)


@cache
def _almaty() -> ZoneInfo:
    # From the pinned wheel, never from the machine: zone files from before 2024 would put every
    # due time an hour off, and ZoneInfo(key) prefers the machine's.
    with files("tzdata.zoneinfo.Asia").joinpath("Almaty").open("rb") as zone_file:
        return ZoneInfo.from_file(zone_file, key="Asia/Almaty")


def _require_aware(instant: datetime) -> None:
    if instant.utcoffset() is None:
        raise ValueError("a time without zone names no instant")


def _require_positive(count: int) -> None:
    if count < 1:
        raise ValueError("a term has at least one day")
