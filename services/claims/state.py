# SPDX-License-Identifier: Apache-2.0
"""The life of a claim: which act is open to it in which state (clauses 6.2.3, 8.1, 8.2).

A claim that blocks must be verified before it is answered; any claim closes only by an answer
that is whole: text, author and proof of dispatch (T-8.2-d).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from services.claims.authority import AuthorityState


class ClaimKind(StrEnum):
    """What the claim is about."""

    INACCURATE_DATA = "INACCURATE_DATA"
    UNLAWFUL_ACTS = "UNLAWFUL_ACTS"
    CONSUMER = "CONSUMER"
    WITHDRAWAL = "WITHDRAWAL"
    OTHER = "OTHER"


class Claimant(StrEnum):
    """Who claims."""

    SUBJECT = "SUBJECT"
    REPRESENTATIVE = "REPRESENTATIVE"
    AUTHORISED_BODY = "AUTHORISED_BODY"
    SITE = "SITE"


class ClaimState(StrEnum):
    """How far the claim has come."""

    RECEIVED = "RECEIVED"
    VERIFIED = "VERIFIED"
    ANSWERED = "ANSWERED"


class Verification(StrEnum):
    """Where the verification that a blocking claim brings stands; others bring none."""

    NOT_REQUIRED = "NOT_REQUIRED"
    OPEN = "OPEN"
    CONCLUDED = "CONCLUDED"


class Outcome(StrEnum):
    """What a verification found (clause 6.2.3)."""

    NOT_CONFIRMED = "NOT_CONFIRMED"
    INACCURATE_CONFIRMED = "INACCURATE_CONFIRMED"
    UNLAWFUL_CONFIRMED = "UNLAWFUL_CONFIRMED"


class Decision(StrEnum):
    """What an answer says."""

    SATISFIED = "SATISFIED"
    PARTLY_SATISFIED = "PARTLY_SATISFIED"
    REJECTED = "REJECTED"


class ClaimAct(StrEnum):
    """What can be done to a claim."""

    CONCLUDE_VERIFICATION = "CONCLUDE_VERIFICATION"
    ANSWER = "ANSWER"


class IllegalTransition(Exception):
    """The act is not open to a claim in this state."""

    def __init__(self, state: ClaimState, act: ClaimAct, verification: Verification) -> None:
        super().__init__(f"{act} is not open to a claim {state} with verification {verification}")
        self.state = state
        self.act = act
        self.verification = verification


class AnswerIncomplete(ValueError):
    """The answer lacks parts without which it closes no claim; `parts` are their field paths."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__(f"the answer lacks {', '.join(parts)}")
        self.parts = parts


@dataclass(frozen=True, slots=True)
class ConcludeVerification:
    """The end of a verification."""

    kind: ClassVar[ClaimAct] = ClaimAct.CONCLUDE_VERIFICATION
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Dispatch:
    """How and when an answer left, and what proves it; a part not given is empty or None."""

    channel: str
    time: datetime | None
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A written answer; one that lacks a part cannot be made (AnswerIncomplete).

    Raises ValueError for a naive time of dispatch. Text, author and proof stay out of its repr.
    """

    kind: ClassVar[ClaimAct] = ClaimAct.ANSWER
    text: str = field(repr=False)
    author: str = field(repr=False)
    dispatch: Dispatch

    def __post_init__(self) -> None:
        parts = {
            "text": self.text.strip(),
            "author": self.author.strip(),
            "dispatch.channel": self.dispatch.channel.strip(),
            "dispatch.time": self.dispatch.time,
            "dispatch.proof": self.dispatch.proof.strip(),
        }
        missing = tuple(name for name, part in parts.items() if not part)
        if missing:
            raise AnswerIncomplete(missing)
        if self.dispatch.time is not None and self.dispatch.time.utcoffset() is None:
            raise ValueError("dispatch.time without zone names no instant")


Act = ConcludeVerification | Answer

_BLOCKING_KINDS = frozenset({ClaimKind.INACCURATE_DATA, ClaimKind.UNLAWFUL_ACTS})
_BLOCKING_CLAIMANTS = frozenset(
    {Claimant.SUBJECT, Claimant.REPRESENTATIVE, Claimant.AUTHORISED_BODY}
)

_POLICY_TERM_DAYS = 30
_STATUTORY_TERM_DAYS = {ClaimKind.CONSUMER: 10}

# Whatever is not in this table is illegal.
_NEXT: Mapping[tuple[ClaimState, Verification, ClaimAct], ClaimState] = {
    (ClaimState.RECEIVED, Verification.OPEN, ClaimAct.CONCLUDE_VERIFICATION): ClaimState.VERIFIED,
    (ClaimState.RECEIVED, Verification.NOT_REQUIRED, ClaimAct.ANSWER): ClaimState.ANSWERED,
    (ClaimState.VERIFIED, Verification.CONCLUDED, ClaimAct.ANSWER): ClaimState.ANSWERED,
}


def blocks(kind: ClaimKind, claimant: Claimant) -> bool:
    """Say whether the claim blocks the person's data from its receipt (clause 6.2.3)."""
    return kind in _BLOCKING_KINDS and claimant in _BLOCKING_CLAIMANTS


def term_days(kind: ClaimKind) -> int:
    """Return the calendar days to answer in: the shorter of policy and statute (8.2, 8.4)."""
    return min(_POLICY_TERM_DAYS, _STATUTORY_TERM_DAYS.get(kind, _POLICY_TERM_DAYS))


def verification_of(
    kind: ClaimKind,
    claimant: Claimant,
    outcome: Outcome | None,
    authority: AuthorityState | None = None,
) -> Verification:
    """Return where the verification stands; `outcome` is None until it is concluded.

    Whoever turned out to have no authority to represent brought none.
    """
    if not blocks(kind, claimant) or authority is AuthorityState.REJECTED:
        return Verification.NOT_REQUIRED
    return Verification.OPEN if outcome is None else Verification.CONCLUDED


def transition(state: ClaimState, act: Act, verification: Verification) -> ClaimState:
    """Return the state after `act`; raises IllegalTransition when the act is not open."""
    following = _NEXT.get((state, verification, act.kind))
    if following is None:
        raise IllegalTransition(state, act.kind, verification)
    return following
