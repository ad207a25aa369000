# SPDX-License-Identifier: Apache-2.0
"""The broker's slices say what its orders and deliveries say (clause 5.2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.contents import difference
from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_standing import Place, PushedSlice
from cli.consistency.wire import Unreadable, content_of
from services.disclosure.order import OrderFacts, OrderState
from services.disclosure.wire import slice_bytes
from services.vault.standing import OrderStanding
from services.vault.standing import OrderState as StandingState
from services.vault.wire_case import ORDERS

Placed = tuple[Place, list[OrderFacts] | None]


def slice_faults(placed: Iterable[Placed], slices: Iterable[PushedSlice]) -> Iterator[Fault]:
    """Slices that are not what the orders say. Both by place."""
    for group, pushed in matched(placed, slices, lambda g: g[0], lambda s: s.place):
        if group is not None and group[1] is None:
            yield _fault("orders", group[0], "an order or delivery holds what none can")
            continue
        facts = group[1] if group is not None and group[1] is not None else []
        if pushed is not None:
            if what := _slice_fault(facts, pushed.body):
                yield _fault("slices", pushed.place, what)
        elif group is not None:
            yield _fault("slices", group[0], "the subject has orders but no slice")


def state_faults(placed: Iterable[Placed]) -> Iterator[Fault]:
    """Orders whose columns contradict each other, and ended orders with live deliveries."""
    for _place, facts in placed:
        for fact in facts or ():
            what = _order_fault(fact)
            if what:
                order = fact.order
                yield Fault.of(
                    "disclosure",
                    "orders",
                    what,
                    site_id=order.site_id,
                    registration_id=order.registration_id,
                )


def delivery_faults(stray: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """Deliveries that belong to no order."""
    for site, delivery_id in stray:
        what = "its order is missing or another subject's"
        yield Fault.of("disclosure", "deliveries", what, site_id=site, delivery_id=delivery_id)


def _slice_fault(facts: list[OrderFacts], body: bytes) -> str:
    try:
        told = content_of(ORDERS, body)
        known = content_of(ORDERS, slice_bytes(facts))
    except Unreadable:
        return "the slice cannot be read"
    assert isinstance(told, OrderStanding)
    assert isinstance(known, OrderStanding)
    # A slice leaves closed orders out after a while, and where it has no room.
    named = {order.order_id for order in told.orders}
    due = tuple(o for o in known.orders if o.order_id in named or o.state is StandingState.OPEN)
    return difference(OrderStanding(due), told) or difference(told, OrderStanding(due))


def _order_fault(fact: OrderFacts) -> str:
    order = fact.order
    ended = order.state is OrderState.CLOSED
    if ended != bool(order.close_act_id) or ended != (order.close_time is not None):
        return "state and closing do not agree"
    if ended and any(delivery.ended_time is None for delivery in fact.deliveries):
        return "it is closed, but a delivery of it goes on"
    return ""


def _fault(table: str, place: Place, what: str) -> Fault:
    return Fault.of("disclosure", table, what, site_id=place[0], subject_id=place[1])
