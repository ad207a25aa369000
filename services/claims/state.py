# SPDX-License-Identifier: Apache-2.0
"""The life of a claim: which act is open to it in which state (clauses 6.2.3, 8.1, 8.2).

A claim that blocks must be verified before it is answered; any claim closes only by an answer
that is whole: text, author and proof of dispatch (T-8.2-d). An answer that is written and has not
left answers nothing. Court comes after the answer, or after the term without one (8.1, 8.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

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
    ANSWER_WRITTEN = "ANSWER_WRITTEN"
    ANSWERED = "ANSWERED"
    NO_ANSWER = "NO_ANSWER"
    AGREED = "AGREED"
    COURT = "COURT"
    CLOSED = "CLOSED"
    AWAITING_RECEIPT = "AWAITING_RECEIPT"


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
    WRITE_ANSWER = "WRITE_ANSWER"
    DISPATCH_ANSWER = "DISPATCH_ANSWER"
    LET_LAPSE = "LET_LAPSE"
    RESUME = "RESUME"
    AGREE = "AGREE"
    REFER_TO_COURT = "REFER_TO_COURT"
    CLOSE = "CLOSE"
    PROVE_RECEIPT = "PROVE_RECEIPT"
    RECORD_USER_ANSWER = "RECORD_USER_ANSWER"


class EndKind(StrEnum):
    """How a dispute went on after the answer."""

    AGREED = "AGREED"
    COURT = "COURT"
    CLOSED = "CLOSED"


END_ACTS: Mapping[EndKind, ClaimAct] = {
    EndKind.AGREED: ClaimAct.AGREE,
    EndKind.COURT: ClaimAct.REFER_TO_COURT,
    EndKind.CLOSED: ClaimAct.CLOSE,
}


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
class Dispatch:
    """How and when an answer left, and what proves it; without any part there is none.

    Raises AnswerIncomplete, ValueError for a naive time. The proof stays out of its repr.
    """

    channel: str
    time: datetime | None
    proof: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = {
            "dispatch.channel": self.channel.strip(),
            "dispatch.time": self.time,
            "dispatch.proof": self.proof.strip(),
        }
        _refuse_missing(parts)
        if self.time is not None and self.time.utcoffset() is None:
            raise ValueError("dispatch.time without zone names no instant")


@dataclass(frozen=True, slots=True)
class Answer:
    """A written answer; without text or author there is none (AnswerIncomplete).

    `signatory` is printed below it. Text, author and signatory stay out of its repr.
    """

    decision: Decision
    text: str = field(repr=False)
    author: str = field(repr=False)
    signatory: str = field(repr=False, default="")

    def __post_init__(self) -> None:
        _refuse_missing({"text": self.text.strip(), "author": self.author.strip()})


def _refuse_missing(parts: Mapping[str, object]) -> None:
    missing = tuple(name for name, part in parts.items() if not part)
    if missing:
        raise AnswerIncomplete(missing)


WAITING = frozenset({ClaimState.RECEIVED, ClaimState.VERIFIED, ClaimState.ANSWER_WRITTEN})
"""The states in which the term of clause 8.2 runs."""
UNANSWERED = WAITING | {ClaimState.NO_ANSWER}
"""The states in which the claimant waits for the written answer."""

_BLOCKING_KINDS = frozenset({ClaimKind.INACCURATE_DATA, ClaimKind.UNLAWFUL_ACTS})
_BLOCKING_CLAIMANTS = frozenset(
    {Claimant.SUBJECT, Claimant.REPRESENTATIVE, Claimant.AUTHORISED_BODY}
)

_POLICY_TERM_DAYS = 30
_STATUTORY_TERM_DAYS = {ClaimKind.CONSUMER: 10}
SHORTEST_TERM_DAYS = min(_POLICY_TERM_DAYS, *_STATUTORY_TERM_DAYS.values())
"""The term of a claim whose kind is not known."""

_S, _V, _A = ClaimState, Verification, ClaimAct
_DONE = (_V.NOT_REQUIRED, _V.CONCLUDED)
_ANY = (*_DONE, _V.OPEN)

# (states, verifications, act, the state after it). Whatever is not here is illegal.
_STEPS = (
    ((_S.RECEIVED,), (_V.OPEN,), _A.CONCLUDE_VERIFICATION, _S.VERIFIED),
    # The term passes, and court may come; the verification goes on, and so does the block.
    ((_S.NO_ANSWER,), (_V.OPEN,), _A.CONCLUDE_VERIFICATION, _S.NO_ANSWER),
    ((_S.COURT,), (_V.OPEN,), _A.CONCLUDE_VERIFICATION, _S.COURT),
    ((_S.RECEIVED,), (_V.NOT_REQUIRED,), _A.WRITE_ANSWER, _S.ANSWER_WRITTEN),
    ((_S.VERIFIED,), (_V.CONCLUDED,), _A.WRITE_ANSWER, _S.ANSWER_WRITTEN),
    # An answer that comes late is still one.
    ((_S.NO_ANSWER,), _DONE, _A.WRITE_ANSWER, _S.NO_ANSWER),
    ((_S.ANSWER_WRITTEN, _S.NO_ANSWER), _DONE, _A.DISPATCH_ANSWER, _S.ANSWERED),
    ((_S.RECEIVED,), (_V.OPEN, _V.NOT_REQUIRED), _A.LET_LAPSE, _S.NO_ANSWER),
    ((_S.VERIFIED,), (_V.CONCLUDED,), _A.LET_LAPSE, _S.NO_ANSWER),
    ((_S.ANSWER_WRITTEN,), _DONE, _A.LET_LAPSE, _S.NO_ANSWER),
    # The receipt was later than it was said to be: the term had not passed. A letter that is
    # written meanwhile stands, by WRITE_ANSWER.
    ((_S.NO_ANSWER,), (_V.OPEN, _V.NOT_REQUIRED), _A.RESUME, _S.RECEIVED),
    ((_S.NO_ANSWER,), (_V.CONCLUDED,), _A.RESUME, _S.VERIFIED),
    ((_S.ANSWERED, _S.NO_ANSWER), _DONE, _A.AGREE, _S.AGREED),
    ((_S.ANSWERED,), _DONE, _A.REFER_TO_COURT, _S.COURT),
    ((_S.NO_ANSWER,), _ANY, _A.REFER_TO_COURT, _S.COURT),
    ((_S.ANSWERED, _S.AGREED, _S.COURT), _DONE, _A.CLOSE, _S.CLOSED),
    # The site claims: the term runs once the user has the claim, and the user answers.
    ((_S.AWAITING_RECEIPT,), (_V.NOT_REQUIRED,), _A.PROVE_RECEIPT, _S.RECEIVED),
    # A claim that never reached its user is taken back: its hold must not stand for ever.
    ((_S.AWAITING_RECEIPT,), (_V.NOT_REQUIRED,), _A.CLOSE, _S.CLOSED),
    ((_S.RECEIVED, _S.NO_ANSWER), (_V.NOT_REQUIRED,), _A.RECORD_USER_ANSWER, _S.ANSWERED),
)
_NEXT: Mapping[tuple[ClaimState, Verification, ClaimAct], ClaimState] = {
    (state, verification, act): following
    for states, verifications, act, following in _STEPS
    for state in states
    for verification in verifications
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


def transition(state: ClaimState, act: ClaimAct, verification: Verification) -> ClaimState:
    """Return the state after `act`; raises IllegalTransition when the act is not open."""
    following = _NEXT.get((state, verification, act))
    if following is None:
        raise IllegalTransition(state, act, verification)
    return following
