# SPDX-License-Identifier: Apache-2.0
"""The request of a state body: what makes it complete, who decides, where it stands (clause 5.3).

Modelled on ETSI TS 103 120: an authorization (who asks, on which ground, about whom) and its tasks,
one per category of data. The program checks form and demands people; it does not judge legality.
"""

import hashlib
import secrets
from base64 import b32encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from services.chassis.calendar import WorkingCalendar
from services.chassis.deadline import Deadline, local_date, on_day, plus_working_days
from services.disclosure.recipient import Fault

_EXPIRES_AFTER: Final = timedelta(days=30)
# No one term binds all bodies (law.md 5.3); where the document names none, the longest that the
# law gives for an answer about personal data (8(7)).
_ANSWER_WORKING_DAYS: Final = 15
_LONGEST: Final = timedelta(days=366)
CODE_LIFE: Final = timedelta(hours=24)
_CODE_BYTES: Final = 16


class GroundKind(StrEnum):
    """What obliges the site; every kind but OTHER is compulsory (law.md 4.1)."""

    COURT_ACT = "COURT_ACT"
    CRIMINAL_PROCEDURE = "CRIMINAL_PROCEDURE"
    ADMINISTRATIVE_PROCEDURE = "ADMINISTRATIVE_PROCEDURE"
    ENFORCEMENT_PROCEDURE = "ENFORCEMENT_PROCEDURE"
    PROSECUTOR_ACT = "PROSECUTOR_ACT"
    COMPLAINT_VERIFICATION = "COMPLAINT_VERIFICATION"
    OTHER = "OTHER"

    @property
    def compulsory(self) -> bool:
        """Whether it may open what is blocked."""
        return self is not GroundKind.OTHER


class Category(StrEnum):
    """A part of the personal data, as a request names it."""

    NAME = "NAME"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    ADDRESS = "ADDRESS"
    TECHNICAL = "TECHNICAL"
    PURCHASES = "PURCHASES"
    CONFIGURED = "CONFIGURED"


class RequestState(StrEnum):
    """Where a request stands; EXPIRED is never stored, `AuthorityRequest.at` tells it."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    HELD = "HELD"
    READY = "READY"
    PICKED_UP = "PICKED_UP"
    UNCERTAIN = "UNCERTAIN"
    EXPIRED = "EXPIRED"


ENDED: Final = frozenset({RequestState.REJECTED, RequestState.PICKED_UP, RequestState.UNCERTAIN})
# Who asked waits for the site; of a READY one as soon as its code has lapsed.
OWED: Final = frozenset({RequestState.PENDING, RequestState.APPROVED, RequestState.HELD})
# Nothing has left, so that nothing may be all that ever will.
_REJECTABLE: Final = frozenset(
    {
        RequestState.PENDING,
        RequestState.APPROVED,
        RequestState.HELD,
        RequestState.READY,
        RequestState.EXPIRED,
    }
)
_RELEASABLE: Final = frozenset(
    {RequestState.APPROVED, RequestState.HELD, RequestState.READY, RequestState.UNCERTAIN}
)

# The vault's reasons by which a request is HELD.
HOLDING: Final = frozenset({"SUBJECT_BLOCKED", "SUBJECT_RESTRICTED"})


@dataclass(frozen=True, slots=True)
class LegalGround:
    """The act and the article; `claim_id` is the complaint that is verified, empty otherwise."""

    kind: GroundKind
    act: str
    article: str
    claim_id: str = ""


@dataclass(frozen=True, slots=True)
class LegalDocument:
    """The paper that was brought; what it says lies with the vault."""

    kind: str
    number: str
    day: date
    sha256: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Who has decided what, and when; names of principals."""

    submitted_by: str
    submit_time: datetime
    decided_by: str = ""
    decide_time: datetime | None = None
    released_by: str = ""
    compelled: bool = False


@dataclass(frozen=True, slots=True)
class AuthorityRequest:
    """A request. The official's name and position and all texts are documents of the vault.

    `approved` are the categories that may leave, `code_sha256` what is kept of the one-time code
    (empty: none is out), `disputed_since` since when what was given had been disputed.
    """

    site_id: str
    request_id: str
    authority_id: str
    subject_id: str
    ground: LegalGround
    document: LegalDocument
    categories: tuple[Category, ...]
    due: Deadline
    expire_time: datetime
    secret_until: datetime | None
    state: RequestState
    decision: Decision
    official_id: str
    text_id: str = ""
    approved: tuple[Category, ...] = ()
    code_sha256: str = ""
    code_expire_time: datetime | None = None
    pick_up_time: datetime | None = None
    disputed_since: datetime | None = None

    def at(self, now: datetime) -> RequestState:
        """Where it stands at `now`."""
        lapsed = now >= self.expire_time and self.state not in ENDED
        return RequestState.EXPIRED if lapsed else self.state

    def overdue(self, now: datetime) -> bool:
        """Whether the body waits for an answer that it should have had."""
        state, until = self.at(now), self.code_expire_time
        lapsed = state is RequestState.READY and until is not None and until <= now
        unanswered = state in OWED or lapsed or state is RequestState.EXPIRED
        return unanswered and self.due.has_passed(now)

    def repeat_until(self, now: datetime) -> datetime | None:
        """Until when what was picked up may be picked up once more; None where it may not."""
        until = self.code_expire_time if self.code_sha256 else None
        if self.state is not RequestState.PICKED_UP or until is None or until <= now:
            return None
        return until

    def held(self) -> "AuthorityRequest":
        """The same when the vault holds the data: no code is out, and what was given was given."""
        given = self.state is RequestState.PICKED_UP
        return replace(self, state=self.state if given else RequestState.HELD, code_sha256="")

    def rejected(self) -> "AuthorityRequest":
        """The same when nothing of it is given, for good."""
        return replace(self, state=RequestState.REJECTED, approved=(), code_sha256="")

    def secrecy(self, now: datetime) -> datetime | None:
        """Until when the person must not be told; None where they may be."""
        return self.secret_until if self.secret_until and self.secret_until > now else None


def missing(given: Mapping[str, bool], kind: GroundKind | None, has_claim: bool) -> list[str]:
    """The JSON paths of what a complete ground still lacks (T-5.3-a), in the order of the form.

    `given` tells of every path that is always needed; a verified complaint has to be named too.
    """
    lacking = [path for path, there in given.items() if not there]
    if kind is GroundKind.COMPLAINT_VERIFICATION and not has_claim:
        lacking.append("request.authorization.ground.claimId")
    return lacking


def answer_deadline(wanted: date | None, now: datetime, calendar: WorkingCalendar) -> Deadline:
    """When a request that is entered `now` is due; `wanted` is the day that it names."""
    if wanted is None:
        return plus_working_days(now, _ANSWER_WORKING_DAYS, calendar)
    return on_day(wanted, calendar)


def expiry(due: Deadline, now: datetime) -> datetime:
    """When a request that names no other time lapses."""
    return min(max(due.due_time, now) + _EXPIRES_AFTER, now + _LONGEST)


def time_faults(
    expire_time: datetime | None,
    secret_until: datetime | None,
    day: date | None,
    wanted: date | None,
    now: datetime,
) -> Iterator[Fault]:
    """What is wrong with the times of a request; `wanted` is the day that the answer is due."""
    if expire_time is not None and not now < expire_time <= now + _LONGEST:
        yield Fault("expireTime", "range", "a time to come, within a year")
    if secret_until is not None and secret_until <= now:
        yield Fault("secretUntilTime", "range", "a time to come")
    if day is not None and day > local_date(now):
        yield Fault("document.date", "range", "a day that has come")
    earliest, latest = local_date(now - _LONGEST), local_date(now + _LONGEST)
    if wanted is not None and not max(day or earliest, earliest) <= wanted <= latest:
        yield Fault("dueDate", "range", "from the document's day on, within a year")


def approval_denial(request: AuthorityRequest, person: str, now: datetime) -> str:
    """The reason against a decision by `person`; empty where none (T-5.3-b)."""
    if request.at(now) is not RequestState.PENDING:
        return "STATE_CONFLICT"
    return "AWAITING_SECOND_APPROVAL" if person == request.decision.submitted_by else ""


def rejection_denial(request: AuthorityRequest, now: datetime) -> str:
    """The reason against rejecting it; empty where none: also when its time is over."""
    return "" if request.at(now) in _REJECTABLE else "STATE_CONFLICT"


def release_denial(
    request: AuthorityRequest, person: str, now: datetime, *, compelled: bool, repeated: bool
) -> str:
    """The reason against letting the data go; empty where none.

    `repeated`: once more, what was picked up and got lost.
    """
    state = request.at(now)
    if state is RequestState.PENDING:
        return "AWAITING_SECOND_APPROVAL"
    # What was or may have been given never lapses; that it may be given again does.
    in_time = now < request.expire_time
    given = state is RequestState.PICKED_UP and in_time
    if not (given if repeated else state in _RELEASABLE and in_time):
        return "STATE_CONFLICT"
    if not compelled:
        return ""
    if not request.ground.kind.compulsory:
        return "LEGAL_GROUND_MISSING"
    return "AWAITING_SECOND_APPROVAL" if person == request.decision.submitted_by else ""


@dataclass(frozen=True, slots=True)
class PickUpCode:
    """A one-time code in the clear: 128 random bits, so what is kept of it needs no salt."""

    text: str = field(repr=False)

    @classmethod
    def generate(cls) -> "PickUpCode":
        """A fresh one."""
        return cls(b32encode(secrets.token_bytes(_CODE_BYTES)).decode().rstrip("="))

    @classmethod
    def read(cls, text: str) -> "PickUpCode":
        """What somebody typed: case, blanks and hyphens do not matter."""
        return cls("".join(text.split()).replace("-", "").upper())

    @property
    def shown(self) -> str:
        """In groups, as people get it."""
        return "-".join(self.text[n : n + 5] for n in range(0, len(self.text), 5))

    @property
    def sha256(self) -> str:
        """What is kept of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()
