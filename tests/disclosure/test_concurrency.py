# SPDX-License-Identifier: Apache-2.0
"""Calls at the same moment: one effect each, and one first release of a delivery."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from qupia.disclosure.v1 import disclosure_pb2 as d
from services.chassis.refusal import Refusal
from tests.disclosure.house import STOREFRONT, SUBJECT, House, release

AT_ONCE = 6


def _at_once(act: Callable[[int], object]) -> Counter[str]:
    """Reasons with which `AT_ONCE` calls ended; OK where one succeeded."""
    start = Barrier(AT_ONCE)

    def run(number: int) -> str:
        start.wait()
        try:
            act(number)
        except Refusal as refusal:
            return refusal.reason
        return "OK"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(run, range(AT_ONCE)))


def _order(key: str) -> d.RegisterOrderRequest:
    order = d.Order(order_id="A-1001", subject_id=SUBJECT)
    return d.RegisterOrderRequest(order=order, request_id=key)


def test_of_many_releases_at_once_one_is_the_first(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    ended = _at_once(lambda _: house.call(recipient, release(delivery_id)))
    assert ended == {"OK": AT_ONCE}
    lines = house.ledger()
    outcomes = Counter(d.Disclosure.Outcome.Name(line.outcome) for line in lines)
    assert outcomes == {"RELEASED": 1, "REPEAT": AT_ONCE - 1}
    (first,) = (line.disclosure_id for line in lines if line.outcome == d.Disclosure.RELEASED)
    assert {line.first_disclosure_id for line in lines} == {"", first}
    assert {line.disclosure_id for line in lines} == set(house.vault.entries)


def test_of_many_orders_of_one_id_one_stands(house: House) -> None:
    ended = _at_once(lambda number: house.call(STOREFRONT, _order(f"k{number}")))
    assert ended == {"OK": 1, "ALREADY_EXISTS": AT_ONCE - 1}
    assert len(house.rows("SELECT 1 FROM acts")) == 1


def test_the_same_request_at_once_has_one_effect(house: House) -> None:
    assert _at_once(lambda _: house.call(STOREFRONT, _order("k"))) == {"OK": AT_ONCE}
    assert len(house.rows("SELECT 1 FROM orders")) == 1


def test_of_many_assignments_of_one_kind_one_is_live(house: House) -> None:
    house.order()
    recipients = [house.recipient(number=number) for number in range(2)]
    ended = _at_once(lambda number: house.assign(recipients[number % 2]))
    assert ended == {"OK": AT_ONCE}
    order = house.call(STOREFRONT, d.GetOrderRequest(order_id="A-1001"))
    states = Counter(delivery.state for delivery in order.deliveries)
    assert states[d.Delivery.ASSIGNED] == 1
