# SPDX-License-Identifier: Apache-2.0
"""Taking a pushed slice into the standing without losing a restriction (clauses 2.2, 4.1, 6.2.3).

Pure. A decider whose database was restored may have forgotten what it once told the vault. The
vault therefore joins every pushed slice with the one it holds: restrictions, and ends that the
vault has once applied, are carried over and reported back so that the decider mends its book;
permissions that the new slice lacks are gone. For a decider that forgot nothing the join changes
nothing, so it is done at every push, not only under a new incarnation.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from services.chassis.slices import ProposalVerdict
from services.vault.standing import (
    Assignment,
    Block,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    HoldKind,
    LegalHold,
    Link,
    OpenOrder,
    OrderStanding,
    OrderState,
    Outcome,
)

S = TypeVar("S", ConsentStanding, ClaimsStanding, OrderStanding)
Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class Carried(Generic[S]):
    """A slice joined with its predecessor.

    `facts` holds only what the pushed slice lacked, as it now stands, or is None: a decider mends
    its book by putting these facts in the place of its own (same ids).
    """

    merged: S
    facts: S | None


@dataclass(frozen=True, slots=True)
class Taken(Generic[S]):
    """What the vault stores and answers for an APPLIED or REPEAT push.

    `standing` is the slice in force; `verdicts` names each open proposal; all but DEFERRED ones
    are to be remembered for ever; `carried` as in `Carried.facts`, to be mended *before* the
    verdicts are recorded.
    """

    standing: S
    verdicts: Mapping[str, ProposalVerdict]
    carried: S | None


def take(
    old: S | None,
    pushed: S,
    open_ids: Collection[str],
    remembered: Mapping[str, ProposalVerdict],
    decide: Callable[[S, str], ProposalVerdict],
) -> Taken[S]:
    """Join `pushed` with `old`, give every open proposal its verdict, strike out the refused ones.

    `remembered` are the vault's earlier verdicts: they are repeated, never decided again. `decide`
    gets the slice as it stands so far (without this proposal) and the proposal's id; it answers
    DEFERRED while the vault is not ready. A proposal once refused is struck out even where the
    push no longer names it as open (silence settles nothing), unless it has ended since. Call it
    for a REPEAT as well: it changes nothing but proposals deferred before, and gives the same
    carried facts to a decider that missed them.
    """
    joined = carry(old, pushed)
    ended = joined.merged.ended_ids()
    refused = {pid for pid, v in remembered.items() if v is ProposalVerdict.REFUSED}
    struck = set(open_ids) | (refused - ended)
    verdicts: dict[str, ProposalVerdict] = {}
    for proposal_id in joined.merged.proposal_ids():
        if proposal_id not in open_ids:
            continue
        verdict = remembered.get(proposal_id)
        if verdict is None and proposal_id in ended:
            verdict = ProposalVerdict.SUPERSEDED
        if verdict is None:
            verdict = decide(joined.merged.decided(struck), proposal_id)
        verdicts[proposal_id] = verdict
        if verdict in {ProposalVerdict.APPLIED, ProposalVerdict.SUPERSEDED}:
            struck.discard(proposal_id)
    return Taken(joined.merged.decided(struck), verdicts, joined.facts)


def carry(old: S | None, new: S) -> Carried[S]:
    """Join the slice the vault holds with a newer one of the same decider and subject."""
    if old is None:
        return Carried(new, None)
    if isinstance(new, ConsentStanding):
        return _carry_consent(old, new)
    if isinstance(new, ClaimsStanding):
        return _carry_claims(old, new)
    return _carry_orders(old, new)


def _carry_consent(old: ConsentStanding, new: ConsentStanding) -> Carried[ConsentStanding]:
    """Carry a disagreement (2.2) and ended consents (4.1.10).

    A withdrawal ends every consent to its purpose granted up to then. An acceptance of a book that
    forgot the disagreement does not answer it (use after disagreement is no agreement): the old
    agreement stands with the disagreement.
    """
    known = {fact.proposal_id: fact for fact in old.consents if fact.ended}
    withdrawn: dict[str, datetime] = {}
    for fact in old.consents:
        if fact.withdrawn_time is not None:
            last = withdrawn.get(fact.purpose, fact.withdrawn_time)
            withdrawn[fact.purpose] = max(last, fact.withdrawn_time)
    mended = [
        _end_consent(fact, known.get(fact.proposal_id), withdrawn.get(fact.purpose))
        for fact in new.consents
    ]
    # A later consent to the purpose decides alone: what ended before it need not be kept.
    granted = {(f.purpose, f.granted_time) for f in new.consents}
    kept = [
        fact
        for fact in known.values()
        if not any(p == fact.purpose and time > fact.granted_time for p, time in granted)
    ]
    consents, carried = _join(kept, new.consents, mended, lambda f: f.proposal_id)
    links, lost = _carry_links(old, new)
    merged = replace(new, consents=consents, links=links)
    forgot = _forgot_disagreement(old, new)
    if forgot:
        later = not old.disagreed and _later(new.accepted_time, old.accepted_time)
        accepted = new if later else old
        merged = replace(
            merged,
            accepted_version=accepted.accepted_version,
            accepted_time=accepted.accepted_time,
            disagreed_time=old.disagreed_time,
        )
    if not (forgot or carried or lost):
        return Carried(merged, None)
    agreement = merged if forgot else ConsentStanding(None, None, None, ())
    facts = replace(agreement, consents=carried, links=lost, proposed_acceptance=None)
    return Carried(merged, facts)


def _carry_links(
    old: ConsentStanding, new: ConsentStanding
) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """Carry links and their ends (1.1.5): a block reaches both while a link stands."""
    known = {link.proposal_id: link for link in old.links}
    mended = [_end_link(link, known.get(link.proposal_id)) for link in new.links]
    return _join(old.links, new.links, mended, lambda link: link.proposal_id)


def _carry_claims(old: ClaimsStanding, new: ClaimsStanding) -> Carried[ClaimsStanding]:
    """Carry blocks, outcomes and holds; one claim has one block of a subject (6.2.3)."""
    known_blocks = {block.claim_id: block for block in old.blocks}
    mended_blocks = [_conclude_block(b, known_blocks.get(b.claim_id)) for b in new.blocks]
    blocks, lost_blocks = _join(old.blocks, new.blocks, mended_blocks, lambda b: b.claim_id)
    known_holds = {hold.hold_id: hold for hold in old.holds}
    mended_holds = [_end_hold(h, known_holds.get(h.hold_id)) for h in new.holds]
    holds, lost_holds = _join(old.holds, new.holds, mended_holds, lambda h: h.hold_id)
    lost = ClaimsStanding(lost_blocks, lost_holds) if lost_blocks or lost_holds else None
    return Carried(ClaimsStanding(blocks, holds), lost)


def _carry_orders(old: OrderStanding, new: OrderStanding) -> Carried[OrderStanding]:
    """Carry closings of orders and ends of assignments, so that no release revives (5.2)."""
    known = {order.order_id: order for order in old.orders}
    mended = [_close_order(order, known.get(order.order_id)) for order in new.orders]
    closed = [order for order in old.orders if order.state is OrderState.CLOSED]
    orders, carried = _join(closed, new.orders, mended, lambda order: order.order_id)
    return Carried(OrderStanding(orders), OrderStanding(carried) if carried else None)


def _join(
    old: Iterable[Fact],
    new: Collection[Fact],
    mended: Iterable[Fact],
    key: Callable[[Fact], str],
) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Put the old facts that `new` lacks behind the mended ones; tell also which facts differ.

    Facts are hashable; `mended` are those of `new`, in the same order.
    """
    present = {key(fact) for fact in new}
    whole = (*mended, *(fact for fact in old if key(fact) not in present))
    pushed = set(new)
    return whole, tuple(fact for fact in whole if fact not in pushed)


def _later(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and (second is None or first > second)


def _forgot_disagreement(old: ConsentStanding, new: ConsentStanding) -> bool:
    return _later(old.disagreed_time, new.disagreed_time)


def _end_consent(
    fact: ConsentFact, known: ConsentFact | None, withdrawn: datetime | None
) -> ConsentFact:
    """End a consent that the vault knows as ended, or that a later withdrawal had ended."""
    if known is not None:
        fact = replace(
            fact,
            withdrawn_time=fact.withdrawn_time or known.withdrawn_time,
            refused_time=fact.refused_time or known.refused_time,
        )
    if fact.withdrawn_time is None and withdrawn is not None and fact.granted_time <= withdrawn:
        fact = replace(fact, withdrawn_time=withdrawn)
    return fact


def _end_link(link: Link, known: Link | None) -> Link:
    if known is None or link.ended_time is not None:
        return link
    return replace(link, ended_time=known.ended_time)


def _conclude_block(block: Block, known: Block | None) -> Block:
    """Keep an outcome that the vault has applied, with what it corrects; confirmed unlawful acts
    beat any other."""
    if known is None or known.outcome is None:
        return block
    if block.outcome is None or known.outcome is Outcome.UNLAWFUL_CONFIRMED:
        return replace(block, outcome=known.outcome, correction_id=known.correction_id)
    if block.outcome is known.outcome and block.correction_id is None:
        return replace(block, correction_id=known.correction_id)
    return block


def _end_hold(hold: LegalHold, known: LegalHold | None) -> LegalHold:
    """Keep its end, and that a court has the dispute: such a hold stands where a claim's yields."""
    if known is None:
        return hold
    kind = HoldKind.COURT if known.kind is HoldKind.COURT else hold.kind
    return replace(hold, kind=kind, ended_time=hold.ended_time or known.ended_time)


def _close_order(order: OpenOrder, known: OpenOrder | None) -> OpenOrder:
    if known is None:
        return order
    ends = {a.delivery_id: a for a in known.assignments if a.ended_time is not None}
    mended = [_end_assignment(a, ends.get(a.delivery_id)) for a in order.assignments]
    assignments, _ = _join(
        ends.values(), order.assignments, mended, lambda assignment: assignment.delivery_id
    )
    closed = OrderState.CLOSED in {order.state, known.state}
    state = OrderState.CLOSED if closed else OrderState.OPEN
    return replace(order, state=state, assignments=assignments)


def _end_assignment(assignment: Assignment, known: Assignment | None) -> Assignment:
    if known is None or assignment.ended_time is not None:
        return assignment
    return replace(assignment, ended_time=known.ended_time)
