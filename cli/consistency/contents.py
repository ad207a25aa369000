# SPDX-License-Identifier: Apache-2.0
"""How a slice that the vault holds may differ from its decider's, and how it may not.

The vault joins every push with what it held: ends of consents and orders that a decider forgot stay
in the standing, because they only restrict. What permits has to be the decider's.
"""

from collections.abc import Sequence
from dataclasses import replace

from cli.consistency.wire import Content
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import (
    Assignment,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    Link,
    OpenOrder,
    OrderStanding,
    OrderState,
)


def difference(told: Content, held: Content) -> str:
    """What the vault holds otherwise than it was told; empty where they agree."""
    if isinstance(told, ConsentStanding) and isinstance(held, ConsentStanding):
        return _consent(told.decided(()), held)
    if isinstance(told, ClaimsStanding) and isinstance(held, ClaimsStanding):
        return _claims(told, held)
    if isinstance(told, OrderStanding) and isinstance(held, OrderStanding):
        return _orders(told, held)
    if isinstance(told, PolicySchedule) and isinstance(held, PolicySchedule):
        return "" if told == held else "the schedule differs from the book's"
    return "is a slice of another kind"


def _consent(told: ConsentStanding, held: ConsentStanding) -> str:
    if (told.accepted_version, told.accepted_time) != (held.accepted_version, held.accepted_time):
        return "the acceptance differs from the book's"
    if told.disagreed_time != held.disagreed_time:
        return "the disagreement differs from the book's"
    if _by_id(told.links) != _by_id(held.links):
        return "the links differ from the book's"
    own = {fact.proposal_id: fact for fact in told.consents}
    there = {fact.proposal_id: fact for fact in held.consents}
    if any(there.get(each) != fact for each, fact in own.items()):
        return "a consent differs from the book's"
    foreign = [fact for each, fact in there.items() if each not in own]
    if any(not fact.ended and not _overtaken(fact, told.consents) for fact in foreign):
        return "a consent stands that the book does not have"
    return ""


def _by_id(links: Sequence[Link]) -> dict[str, Link]:
    return {link.proposal_id: link for link in links}


def _overtaken(fact: ConsentFact, facts: Sequence[ConsentFact]) -> bool:
    return any(
        each.purpose == fact.purpose and each.granted_time >= fact.granted_time for each in facts
    )


def _claims(told: ClaimsStanding, held: ClaimsStanding) -> str:
    blocks = {block.claim_id: block for block in told.blocks}
    there = {block.claim_id: block for block in held.blocks}
    for claim_id in sorted(blocks.keys() | there.keys()):
        if claim_id not in there:
            return f"the block of claim {claim_id} is missing"
        if claim_id not in blocks:
            return f"a block stands for claim {claim_id}, which the book does not have"
        if blocks[claim_id] != there[claim_id]:
            return f"the block of claim {claim_id} differs from the book's"
    if sorted(told.holds, key=lambda h: h.hold_id) != sorted(held.holds, key=lambda h: h.hold_id):
        return "the legal holds differ from the book's"
    return ""


def _orders(told: OrderStanding, held: OrderStanding) -> str:
    own = {order.order_id: order for order in told.orders}
    there = {order.order_id: order for order in held.orders}
    for order_id in sorted(own.keys() | there.keys()):
        if order_id not in there:
            return f"order {order_id} is missing"
        if order_id not in own:
            if there[order_id].state is not OrderState.CLOSED:
                return f"order {order_id} is open, which the book does not have"
        elif not _same_order(own[order_id], there[order_id]):
            return f"order {order_id} differs from the book's"
    return ""


def _same_order(told: OpenOrder, held: OpenOrder) -> bool:
    own = {each.delivery_id: each for each in told.assignments}
    there = {each.delivery_id: each for each in held.assignments}
    bare: tuple[Assignment, ...] = ()
    return (
        replace(told, assignments=bare) == replace(held, assignments=bare)
        and all(there.get(each) == assignment for each, assignment in own.items())
        and all(there[each].ended_time is not None for each in there.keys() - own.keys())
    )
