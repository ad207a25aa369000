# SPDX-License-Identifier: Apache-2.0
"""When the clock of a claim has something to do: ten days before, three days before, too late.

Clause 8.2. A reminder comes with the first instant of its local day.
"""

from datetime import datetime
from typing import Final

from services.chassis.deadline import Deadline, days_before

REMINDER_DAYS: Final = (10, 3)
"""Calendar days before the last one at which officers are reminded, the earliest first."""


def next_alarm(deadline: Deadline, now: datetime) -> datetime:
    """Return when the clock has to look at the claim next; the past for a term that is over."""
    times = (days_before(deadline, days) for days in REMINDER_DAYS)
    return next((time for time in times if time > now), deadline.due_time)


def reminder_days(deadline: Deadline, now: datetime) -> int | None:
    """Return of which reminder it is time at `now`: 3, 10, or None as long as it is neither."""
    reached = [days for days in REMINDER_DAYS if days_before(deadline, days) <= now]
    return min(reached, default=None)
