# SPDX-License-Identifier: Apache-2.0
"""Address snapshots and messages live as long as their order is open in the vault (clause 5.2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_standing import HeldSlice
from cli.consistency.wire import Unreadable, content_of
from services.vault.order_documents import ADDRESS
from services.vault.standing import OpenOrder, OrderStanding, OrderState
from services.vault.wire_case import ORDERS

Document = tuple[str, str, str, str, str]
"""(site, subject, order, document, kind)"""
Message = tuple[str, str, str, str]
"""(site, subject, order, document)"""


def document_faults(documents: Iterable[Document], slices: Iterable[HeldSlice]) -> Iterator[Fault]:
    """Documents of orders that are not open, twice of one, or that nobody chose; by subject.

    Both are of the vault, and change in one transaction.
    """
    groups = gathered(documents, lambda d: d[:2])
    for group, slice_ in matched(groups, slices, lambda g: g[0], lambda s: s.place):
        if group is None:
            continue
        opened = {o.order_id: o for o in _orders(slice_) if o.state is OrderState.OPEN}
        seen: set[tuple[str, str]] = set()
        for site, _, order_id, document_id, kind in group[1]:
            what = _fault(opened.get(order_id), kind, (order_id, kind) in seen)
            seen.add((order_id, kind))
            if what:
                yield Fault.of("vault", "documents", what, site_id=site, document_id=document_id)


def message_faults(
    messages: Iterable[Message], slices: Iterable[HeldSlice], documents: Iterable[Document]
) -> Iterator[Fault]:
    """Messages of orders that the vault holds open, and that it does not have; by subject.

    A warning: one that opens for nobody was left out when it came, with an alarm.
    """
    groups = gathered(messages, lambda m: m[:2])
    kept = gathered(documents, lambda d: d[:2])
    wanted = matched(groups, slices, lambda g: g[0], lambda s: s.place)
    asked = ((g[0], g[1], _orders(s)) for g, s in wanted if g is not None)
    for ask, there in matched(asked, kept, lambda a: a[0], lambda g: g[0]):
        if ask is None:
            continue
        opened = {o.order_id for o in ask[2] if o.state is OrderState.OPEN}
        known = {d[3] for d in there[1]} if there is not None else set()
        for site, _, order_id, document_id in ask[1]:
            if order_id in opened and document_id not in known:
                what = "the vault lacks the message of an open order"
                yield Fault.warn("vault", "documents", what, site_id=site, document_id=document_id)


def _fault(order: OpenOrder | None, kind: str, twice: bool) -> str:
    if order is None:
        return "it is of an order that is not open"
    if twice:
        return "the order has another one of its kind"
    if kind == ADDRESS and not order.snapshot:
        return "the order takes the present address"
    return ""


def _orders(slice_: HeldSlice | None) -> tuple[OpenOrder, ...]:
    if slice_ is None:
        return ()
    try:
        content = content_of(ORDERS, slice_.body)
    except Unreadable:
        return ()
    assert isinstance(content, OrderStanding)
    return content.orders
