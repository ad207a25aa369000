# SPDX-License-Identifier: Apache-2.0
"""What recipients are told when data that they hold may no longer be used (Law 24(1)(3))."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.chassis.calendar import WorkingCalendar
from services.chassis.deadline import Deadline, plus_working_days

# Law 25(2)(8): what is blocked stops within a working day.
FETCH_WORKING_DAYS: Final = 1


class Instruction(StrEnum):
    """What to do with the details of a delivery."""

    STOP_USING = "STOP_USING"
    RESUME = "RESUME"
    DESTROY = "DESTROY"


class NoticeState(StrEnum):
    """How far a notice has come."""

    OPEN = "OPEN"
    SENT = "SENT"
    ACKNOWLEDGED = "ACKNOWLEDGED"


# What follows from each change of standing (clause 6.2.3; Law 24(1)(3), (4)).
INSTRUCTIONS: Final = {
    "BLOCKED": Instruction.STOP_USING,
    "LIFTED": Instruction.RESUME,
    "RESTRICTED": Instruction.DESTROY,
    "DESTROYED": Instruction.DESTROY,
}


@dataclass(frozen=True, slots=True)
class Recall:
    """A change of a subject's standing, as the vault told it."""

    change_id: str
    site_id: str
    subject_id: str
    kind: str
    change_time: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """What one recipient is told of one delivery. Why is never said."""

    site_id: str
    notice_id: str
    subject_id: str
    recipient_id: str
    order_id: str
    delivery_id: str
    instruction: Instruction
    state: NoticeState
    create_time: datetime
    send_time: datetime | None = None
    acknowledge_time: datetime | None = None

    def deadline(self, calendar: WorkingCalendar) -> Deadline:
        """By when the recipient should have fetched it."""
        return plus_working_days(self.create_time, FETCH_WORKING_DAYS, calendar)

    def overdue(self, calendar: WorkingCalendar, now: datetime) -> bool:
        """Whether nobody has fetched it in time."""
        return self.state is NoticeState.OPEN and self.deadline(calendar).has_passed(now)
