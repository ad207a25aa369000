# SPDX-License-Identifier: Apache-2.0
"""An incident, the duty to give notice of it, and exemptions from liability (clauses 7.1, 7.2).

Notice is due by the end of the next working day after detection (Law 25(2)(8)), of every incident:
neither its cause nor an exemption switches that off (T-7.1-a, T-7.2-a, T-7.2-b).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from services.chassis.calendar import WorkingCalendar
from services.chassis.deadline import Deadline, plus_working_days

NOTICE_WORKING_DAYS: Final = 1


class ExemptionCode(StrEnum):
    """The four exemptions of clause 7.2."""

    PUBLIC_BEFORE = "PUBLIC_BEFORE"
    FROM_THIRD_PARTY = "FROM_THIRD_PARTY"
    UNAUTHORISED_ACCESS = "UNAUTHORISED_ACCESS"
    WITH_CONSENT = "WITH_CONSENT"

    @property
    def clause(self) -> str:
        """The clause that names it."""
        return f"7.2.{list(ExemptionCode).index(self) + 1}"

    @property
    def needs_date(self) -> bool:
        """Whether it stands on something that has to be dated (law.md 4.11)."""
        return self in (ExemptionCode.PUBLIC_BEFORE, ExemptionCode.FROM_THIRD_PARTY)


@dataclass(frozen=True, slots=True)
class IncidentNotice:
    """Notice that was given; `addressee` and `channel` are names of the contract."""

    notice_id: str
    addressee: str
    channel: str
    dispatch_time: datetime
    authority_request_id: str | None
    author: str
    record_time: datetime


@dataclass(frozen=True, slots=True)
class Exemption:
    """An exemption that somebody claims of an incident."""

    exemption_id: str
    code: ExemptionCode
    author: str
    reference_date: date | None
    consent_act_id: str | None
    record_time: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident without its words; kind, cause and intent are names of the contract.

    `notice_time` is when the authorised body was first given notice, `overdue_time` when it turned
    out to have been given none in time.
    """

    site_id: str
    incident_id: str
    kind: str
    cause: str
    intent: str
    detect_time: datetime
    record_time: datetime
    author: str
    deadline: Deadline
    affected: int = 0
    overdue_time: datetime | None = None
    notice_time: datetime | None = None
    close_time: datetime | None = None
    notices: Sequence[IncidentNotice] = ()
    exemptions: Sequence[Exemption] = ()

    @property
    def may_close(self) -> bool:
        """Whether nothing more is owed: the authorised body has its notice."""
        return self.close_time is None and self.notice_time is not None


def notice_deadline(detect_time: datetime, calendar: WorkingCalendar) -> Deadline:
    """When notice is due of what was detected then. Raises as `plus_working_days`."""
    return plus_working_days(detect_time, NOTICE_WORKING_DAYS, calendar)
