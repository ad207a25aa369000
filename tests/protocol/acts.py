# SPDX-License-Identifier: Apache-2.0
"""The acts that the model's deciders record, and what each does to the decider's book."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.chassis.slices import ProposalVerdict
from services.vault.standing import (
    Acceptance,
    Block,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    Ground,
    Link,
    OpenOrder,
    OrderStanding,
    OrderState,
    Origin,
    Outcome,
    Slice,
    Standing,
)

START = datetime(2026, 11, 23, tzinfo=UTC)


class Kind(StrEnum):
    GRANT = "GRANT"
    WITHDRAW = "WITHDRAW"
    DISAGREE = "DISAGREE"
    ACCEPT = "ACCEPT"
    USE = "USE"
    BLOCK = "BLOCK"
    LIFT = "LIFT"
    ORDER = "ORDER"
    CLOSE = "CLOSE"
    LINK = "LINK"
    UNLINK = "UNLINK"


PROPOSALS = frozenset({Kind.GRANT, Kind.ACCEPT, Kind.USE, Kind.ORDER, Kind.LINK})


@dataclass(frozen=True, slots=True)
class Act:
    """`target`: a purpose, claim, order or account. `proposal_id` names a proposal, else empty."""

    kind: Kind
    target: str = ""
    proposal_id: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".rstrip()


@dataclass(frozen=True, slots=True)
class Body:
    """What one version of a slice says: the whole slice and its open proposals."""

    slice: Slice
    open_ids: frozenset[str]


def moment(index: int) -> datetime:
    """Give the time of the act with this place in its script; a later act is later."""
    return START + timedelta(minutes=index + 1)


def commit(act: Act, index: int, body: Body) -> Body | None:
    """Record the act in the book; None when the book knows nothing that it could end."""
    book, time = body.slice, moment(index)
    if isinstance(book, ConsentStanding):
        return _consent_act(act, time, book, body.open_ids)
    if isinstance(book, ClaimsStanding):
        return _claims_act(act, time, book)
    return _order_act(act, time, book, body.open_ids)


def _consent_act(
    act: Act, time: datetime, book: ConsentStanding, open_ids: frozenset[str]
) -> Body | None:
    if act.kind in {Kind.LINK, Kind.UNLINK}:
        return _link_act(act, time, book, open_ids)
    if act.kind is Kind.GRANT:
        fact = ConsentFact(act.target, 1, time, None, None, None, act.proposal_id)
        return Body(replace(book, consents=(*book.consents, fact)), open_ids | {act.proposal_id})
    if act.kind in {Kind.ACCEPT, Kind.USE}:
        proposed = Acceptance(1, time, act.kind is Kind.ACCEPT, act.proposal_id)
        return Body(replace(book, proposed_acceptance=proposed), open_ids | {act.proposal_id})
    # A withdrawal ends the consents to its purpose, a disagreement those still open: the vault
    # may have applied them although its answer never came.
    ended = frozenset(
        fact.proposal_id
        for fact in book.consents
        if fact.withdrawn_time is None
        and (fact.purpose == act.target or (act.kind is Kind.DISAGREE and _open(fact, open_ids)))
    )
    consents = tuple(
        replace(fact, withdrawn_time=time) if fact.proposal_id in ended else fact
        for fact in book.consents
    )
    book = replace(book, consents=consents)
    if act.kind is Kind.DISAGREE:
        return Body(replace(book, disagreed_time=time, proposed_acceptance=None), frozenset())
    return Body(book, open_ids - ended)


def _link_act(
    act: Act, time: datetime, book: ConsentStanding, open_ids: frozenset[str]
) -> Body | None:
    if act.kind is Kind.LINK:
        link = Link(act.target, time, None, act.proposal_id)
        return Body(replace(book, links=(*book.links, link)), open_ids | {act.proposal_id})
    ended = frozenset(link.proposal_id for link in book.links if link.ended_time is None)
    if not ended:
        return None
    links = tuple(
        replace(link, ended_time=time) if link.proposal_id in ended else link for link in book.links
    )
    return Body(replace(book, links=links), open_ids - ended)


def _open(fact: ConsentFact, open_ids: Collection[str]) -> bool:
    return fact.proposal_id in open_ids


def _claims_act(act: Act, time: datetime, book: ClaimsStanding) -> Body | None:
    if act.kind is Kind.BLOCK:
        block = Block(act.target, time, Ground.UNLAWFUL_ACTS, Origin.SUBJECT, None, None, time)
        return Body(replace(book, blocks=(*book.blocks, block)), frozenset())
    if not any(block.claim_id == act.target and block.outcome is None for block in book.blocks):
        return None
    blocks = tuple(
        replace(block, outcome=Outcome.NOT_CONFIRMED) if block.claim_id == act.target else block
        for block in book.blocks
    )
    return Body(replace(book, blocks=blocks), frozenset())


def _order_act(
    act: Act, time: datetime, book: OrderStanding, open_ids: frozenset[str]
) -> Body | None:
    if act.kind is Kind.ORDER:
        order = OpenOrder(act.target, time, 1, OrderState.OPEN, act.proposal_id, ())
        return Body(OrderStanding((*book.orders, order)), open_ids | {act.proposal_id})
    known = [o for o in book.orders if o.order_id == act.target and o.state is OrderState.OPEN]
    if not known:
        return None
    orders = tuple(
        replace(order, state=OrderState.CLOSED) if order in known else order
        for order in book.orders
    )
    return Body(OrderStanding(orders), open_ids - {order.proposal_id for order in known})


def knows(slice_: Slice, act: Act, index: int) -> bool:
    """Tell whether a copy of a slice still says what a restricting act said."""
    if isinstance(slice_, ConsentStanding):
        if act.kind is Kind.DISAGREE:
            return slice_.disagreed_time is not None and slice_.disagreed_time >= moment(index)
        if act.kind is Kind.UNLINK:
            return any(
                e.ended_time is not None and e.ended_time >= moment(index) for e in slice_.links
            )
        return any(
            fact.purpose == act.target
            and fact.withdrawn_time is not None
            and fact.withdrawn_time >= moment(index)
            for fact in slice_.consents
        )
    if isinstance(slice_, ClaimsStanding):
        return any(block.claim_id == act.target for block in slice_.blocks)
    return any(
        order.order_id == act.target and order.state is OrderState.CLOSED for order in slice_.orders
    )


def without_outdone(book: ConsentStanding) -> ConsentStanding:
    """Leave out ended consents to a purpose that has a later one, as the consent service does."""
    last: dict[str, datetime] = {}
    for fact in book.consents:
        last[fact.purpose] = max(fact.granted_time, last.get(fact.purpose, fact.granted_time))
    kept = (f for f in book.consents if not f.ended or f.granted_time == last[f.purpose])
    return replace(book, consents=tuple(kept))


def decide(standing: Standing, proposed: Slice, proposal_id: str) -> ProposalVerdict:
    """Decide a proposal as the gate does: not under a block, not after disagreement."""
    refused = standing.blocked or standing.restricted
    if isinstance(proposed, ConsentStanding):
        accepted = proposed.proposed_acceptance
        if accepted is None or accepted.proposal_id != proposal_id:
            refused = refused or standing.disagreed
        else:
            refused = refused or (standing.disagreed and not accepted.explicit)
    else:
        refused = refused or standing.disagreed
    return ProposalVerdict.REFUSED if refused else ProposalVerdict.APPLIED


def permitted(standing: Standing) -> frozenset[str]:
    """Name what the gate would let out: "data", each consented purpose, each open order.

    "linked": what is let out goes to whoever is behind the account of a visitor.
    """
    if standing.blocked or standing.restricted:
        return frozenset()
    released = set()
    if standing.orders is not None:
        released = {o.order_id for o in standing.orders.orders if o.state is OrderState.OPEN}
    if standing.disagreed:
        return frozenset(released)
    consents = () if standing.consent is None else standing.consent.consents
    purposes = {fact.purpose for fact in consents if fact.in_force(START)}
    linked = {"linked"} if standing.linked else set()
    return frozenset({"data"} | released | purposes | linked)
