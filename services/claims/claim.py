# SPDX-License-Identifier: Apache-2.0
"""A claim as the book of record holds it, and what it says of a subject (clauses 6.2.3, 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.chassis.deadline import Deadline
from services.claims.authority import AuthorityState
from services.claims.recovery import RecoveryState
from services.claims.state import (
    SHORTEST_TERM_DAYS,
    Claimant,
    ClaimKind,
    ClaimState,
    Decision,
    Outcome,
    Verification,
    blocks,
    term_days,
    verification_of,
)

IN_FORCE = "IN_FORCE"
# From the least to the most that can be said of a claim with several acts.
_LEAST_FIRST = ("PENDING", "REFUSED", "SUBJECT_DESTROYED", "SUPERSEDED", IN_FORCE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim without its texts. Times are aware, in UTC.

    `subject_ids` in the order they were named; `answer_time` is when the answer left;
    `enforcement` a name of the contract. `released`: its block was lifted without an outcome;
    `receipt_awaits`: a time of receipt waits for a second officer; `authority` is a
    representative's; `officer` is the principal who works it. `recovery`: the book had lost it.
    """

    site_id: str
    claim_id: str
    number: str
    subject_ids: tuple[str, ...]
    kind: ClaimKind
    claimant: Claimant
    state: ClaimState
    outcome: Outcome | None
    decision: Decision | None
    language: str
    receipt_time: datetime
    record_time: datetime
    deadline: Deadline
    answer_time: datetime | None
    enforcement: str
    released: bool = False
    receipt_awaits: bool = False
    authority: AuthorityState | None = None
    officer: str | None = None
    recovery: RecoveryState | None = None

    @property
    def term_days(self) -> int:
        """The calendar days to answer in; the fewest there are while its kind is not known."""
        if self.recovery is RecoveryState.FOUND and not self.blocks:
            return SHORTEST_TERM_DAYS
        return term_days(self.kind)

    @property
    def blocks(self) -> bool:
        """Whether it blocks its subjects' data until its outcome (clause 6.2.3)."""
        return blocks(self.kind, self.claimant)

    @property
    def verification(self) -> Verification:
        """Where its verification stands."""
        return verification_of(self.kind, self.claimant, self.outcome, self.authority)

    @property
    def owner_id(self) -> str:
        """Under whose key its documents lie: its first subject, or itself where it names none."""
        return self.subject_ids[0] if self.subject_ids else self.claim_id


@dataclass(frozen=True, slots=True)
class ClaimFact:
    """What one claim says of one subject: its block, if it blocks, and its legal hold.

    `correction_id` is empty where the outcome corrects nothing of this subject. `released`: its
    block was lifted without an outcome. `same_contact` where the claim does not name the subject:
    the vault blocked it for its contact, and it holds nothing. Since `court_time` it is a court's
    hold, which ended at `hold_end_time`.
    """

    claim_id: str
    hold_id: str
    kind: ClaimKind
    claimant: Claimant
    receipt_time: datetime
    record_time: datetime
    outcome: Outcome | None
    correction_id: str
    released: bool = False
    same_contact: bool = False
    court_time: datetime | None = None
    hold_end_time: datetime | None = None

    @classmethod
    def of_new(cls, claim: Claim, hold_id: str) -> ClaimFact:
        """What a claim says of each of its subjects while it is being filed."""
        return cls(
            claim.claim_id,
            hold_id,
            claim.kind,
            claim.claimant,
            claim.receipt_time,
            claim.record_time,
            None,
            "",
        )

    @property
    def hold_time(self) -> datetime:
        """Since when it holds: from its recording, or from an earlier receipt.

        A user has the site's claim later than it was recorded; what is disputed was held all along.
        """
        return min(self.receipt_time, self.record_time)


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who does an act, and by which names of the contract it goes into evidence."""

    principal: str
    role: str
    event: str
    verb: str
    clause: str


def least_enforcement(states: Iterable[str]) -> str:
    """What is said of a claim whose acts stand so; a claim without acts is in force."""
    return min(states, key=_LEAST_FIRST.index, default=IN_FORCE)
