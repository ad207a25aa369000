# SPDX-License-Identifier: Apache-2.0
"""Every way in which a finding of docs/decisions.md can be true, as facts of a standing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import TypeVar

from services.vault.policy_schedule import PolicySchedule, PolicyTerm
from services.vault.standing import (
    Assignment,
    Block,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    Ground,
    HoldKind,
    LegalHold,
    OpenOrder,
    OrderStanding,
    OrderState,
    Origin,
    Outcome,
    RecipientKind,
)

NOW = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
_DAY = timedelta(days=1)
PAST, EARLIER, LATER = NOW - 30 * _DAY, NOW - 60 * _DAY, NOW + 30 * _DAY
EARLIEST = NOW - 90 * _DAY
CLAIM, OTHER_CLAIM = "claim-1", "claim-2"
DELIVERY, RECIPIENT = "delivery-1", "recipient-1"
OPEN, CLOSED, STRANGE = "O-OPEN", "O-CLOSED", "CASE-7"
SOME_OTHER = "NEWS"

V = TypeVar("V")
Ways = Mapping[V, tuple[object, ...]]


@dataclass(frozen=True)
class Agreement:
    """The agreement part of a consent slice; None where the slice was never pushed."""

    version: int | None
    accepted: datetime | None = None
    disagreed: datetime | None = None


@dataclass(frozen=True)
class Consents:
    """Facts of one purpose, and the schedule they are judged against.

    `disagreed`: when the person disagreed in between, to accept again later.
    """

    facts: tuple[ConsentFact, ...]
    schedule: PolicySchedule = field(default_factory=PolicySchedule)
    disagreed: datetime | None = None


def block(outcome: Outcome | None, claim: str = CLAIM) -> Block:
    """A block with or without outcome."""
    ground, origin = Ground.INACCURATE_DATA, Origin.SUBJECT
    return Block(claim, PAST, ground, origin, outcome, None, PAST)


def _claims(*outcomes: Outcome | None) -> ClaimsStanding:
    return ClaimsStanding(tuple(block(o, f"claim-{n + 1}") for n, o in enumerate(outcomes)), ())


_HOLD = LegalHold("hold-1", CLAIM, HoldKind.COURT, PAST, None)


def _own_holds(blocks: tuple[Block, ...]) -> list[LegalHold]:
    """Holds that hold nothing: ended ones, and those of claims whose own outcome this is."""
    own = [b.claim_id for b in blocks if b.outcome is Outcome.UNLAWFUL_CONFIRMED]
    holds = [LegalHold(f"hold-{c}", c, HoldKind.CLAIM, PAST, None) for c in own]
    return [*holds, LegalHold("hold-0", "claim-0", HoldKind.COURT, EARLIER, PAST)]


def _court_hold(blocks: tuple[Block, ...]) -> list[LegalHold]:
    """A court's hold, that of the same claim included."""
    claim = blocks[0].claim_id if blocks else None
    return [*_own_holds(blocks), LegalHold("hold-8", claim, HoldKind.COURT, PAST, None)]


def _other_claims_hold(blocks: tuple[Block, ...]) -> list[LegalHold]:
    return [*_own_holds(blocks), LegalHold("hold-9", "claim-9", HoldKind.CLAIM, PAST, None)]


HOLDS = (("none", _own_holds), ("some", _court_hold), ("some", _other_claims_hold))

CLAIMS: Mapping[tuple[str, str], tuple[ClaimsStanding | None, ...]] = MappingProxyType(
    {
        ("none", "none"): (
            None,
            ClaimsStanding((), ()),
            ClaimsStanding((), (_HOLD,)),
            _claims(Outcome.NOT_CONFIRMED),
            _claims(Outcome.INACCURATE_CONFIRMED),
            _claims(Outcome.RELEASED),
        ),
        ("none", "blocked"): (
            _claims(None),
            _claims(None, None),
            _claims(Outcome.NOT_CONFIRMED, None),
            _claims(None, Outcome.INACCURATE_CONFIRMED),
        ),
        ("restricted", "none"): (
            _claims(Outcome.UNLAWFUL_CONFIRMED),
            _claims(Outcome.UNLAWFUL_CONFIRMED, Outcome.NOT_CONFIRMED),
        ),
        ("restricted", "blocked"): (_claims(Outcome.UNLAWFUL_CONFIRMED, None),),
    }
)

AGREEMENTS: Mapping[str, tuple[Agreement | None, ...]] = MappingProxyType(
    {
        "accepted": (Agreement(1, PAST), Agreement(2, PAST, EARLIER)),
        "not accepted": (None, Agreement(None)),
        "disagreed": (
            Agreement(1, EARLIEST, EARLIER),
            Agreement(1, EARLIER, EARLIER),
            Agreement(None, None, EARLIER),
        ),
    }
)


def fact(
    purpose: str,
    *,
    granted: datetime = PAST,
    version: int = 1,
    expires: datetime | None = None,
    withdrawn: datetime | None = None,
    refused: datetime | None = None,
) -> ConsentFact:
    """A consent, in force if not said otherwise."""
    return ConsentFact(purpose, version, granted, expires, withdrawn, refused, f"p-{granted:%j}")


def _schedule(effective: datetime, *material: str) -> PolicySchedule:
    terms = (PolicyTerm(1, EARLIER, frozenset()), PolicyTerm(2, effective, frozenset(material)))
    return PolicySchedule(terms)


@cache
def consents(purpose: str, finding: str) -> tuple[Consents, ...]:
    """The ways in which the consent to `purpose` can be as found."""
    other = "ADVERTISING" if purpose == SOME_OTHER else SOME_OTHER
    given = fact(purpose)
    ways = {
        "never given": (Consents(()), Consents((fact(other),), _schedule(PAST, purpose))),
        "given": (
            Consents((given,)),
            Consents((fact(purpose, expires=LATER),)),
            Consents((fact(purpose, granted=EARLIER, withdrawn=PAST), fact(purpose, granted=NOW))),
            Consents((given,), _schedule(PAST, other)),
            Consents((given,), _schedule(LATER, purpose)),
            Consents((fact(purpose, version=2),), _schedule(EARLIER, purpose)),
        ),
        "ended": (
            Consents((fact(purpose, withdrawn=NOW),)),
            Consents((fact(purpose, refused=PAST),)),
            Consents((fact(purpose, expires=NOW - _DAY),)),
            Consents((fact(purpose, expires=NOW),)),
            Consents((fact(purpose, granted=EARLIER), fact(purpose, withdrawn=NOW), fact(other))),
            Consents((fact(purpose, withdrawn=NOW),), _schedule(PAST, purpose)),
            Consents((fact(purpose, granted=EARLIEST),), disagreed=EARLIER),
            Consents((fact(purpose, granted=EARLIER, expires=LATER),), disagreed=EARLIER),
        ),
        "outgrown": (
            Consents((given,), _schedule(PAST, purpose)),
            Consents((given,), _schedule(NOW, purpose, other)),
            Consents((fact(purpose, expires=LATER),), _schedule(PAST, purpose)),
        ),
    }
    return ways[finding]


@cache
def consent_slice(agreement: Agreement | None, found: Consents) -> ConsentStanding | None:
    """A consent slice; None only where there is nothing in it."""
    if agreement is None:
        if not found.facts:
            return None
        agreement = Agreement(None)
    disagreed, facts = agreement.disagreed or found.disagreed, found.facts
    if agreement.version is None and found.disagreed is not None:
        # Nobody disagreed in between who never accepted: ended in another way.
        disagreed, facts = agreement.disagreed, tuple(replace(f, withdrawn_time=NOW) for f in facts)
    return ConsentStanding(agreement.version, agreement.accepted, disagreed, facts, None)


def assignment(
    delivery: str = DELIVERY,
    recipient: str = RECIPIENT,
    kind: RecipientKind = RecipientKind.COURIER,
    *,
    expires: datetime | None = None,
    ended: datetime | None = None,
) -> Assignment:
    """An assignment, live if not said otherwise."""
    return Assignment(delivery, recipient, kind, expires, ended)


def order(order_id: str, state: OrderState, *assignments: Assignment) -> OpenOrder:
    """An order."""
    return OpenOrder(order_id, PAST, 1, state, f"proposal-{order_id}", assignments)


ORDERS: Mapping[str, tuple[OrderStanding | None, ...]] = MappingProxyType(
    {
        "none": (
            OrderStanding((order(CLOSED, OrderState.CLOSED),)),
            OrderStanding((order(CLOSED, OrderState.CLOSED, assignment()),)),
        ),
        "some": (
            OrderStanding((order(OPEN, OrderState.OPEN), order(CLOSED, OrderState.CLOSED))),
            OrderStanding((order(CLOSED, OrderState.CLOSED), order(OPEN, OrderState.OPEN))),
        ),
    }
)

NOT_OPEN: tuple[OrderStanding | None, ...] = (
    None,
    OrderStanding(()),
    OrderStanding((order(OPEN, OrderState.CLOSED, assignment()),)),
    OrderStanding((order("O-2", OrderState.OPEN, assignment()),)),
)


def assigned(finding: str, kind: RecipientKind) -> tuple[OrderStanding, ...]:
    """An open order whose assignment is as found."""
    live = assignment(kind=kind)
    over = assignment(kind=kind, ended=PAST)
    ways = {
        "live": (
            (live,),
            (assignment(kind=kind, expires=LATER),),
            (assignment("delivery-0"), live),
            (assignment(recipient="recipient-2", ended=PAST), live),
        ),
        "not live": (
            (),
            (over,),
            (assignment(kind=kind, expires=PAST),),
            (assignment(kind=kind, expires=NOW),),
            (assignment(kind=kind, recipient="recipient-2"),),
            (assignment(kind=kind, delivery="delivery-2"),),
            (assignment("delivery-2", kind=kind), assignment(recipient="recipient-2", kind=kind)),
        ),
    }
    elsewhere = order("O-2", OrderState.OPEN, live)
    return tuple(
        OrderStanding((elsewhere, order(OPEN, OrderState.OPEN, *found))) for found in ways[finding]
    )
