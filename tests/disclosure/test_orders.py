# SPDX-License-Identifier: Apache-2.0
"""Orders under the public offer (clause 5.2): proposals that the vault opens or refuses."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qupia.disclosure.v1 import disclosure_pb2 as d
from qupia.subject.v1 import subject_pb2
from services.chassis.ids import new_uuid
from tests.disclosure.house import (
    NOBODY,
    OTHER_SITE,
    OTHER_SUBJECT,
    SITE,
    STOREFRONT,
    SUBJECT,
    House,
    officer,
    registration,
    release,
    storefront,
)

State = subject_pb2.Enforcement
PLACE = (SITE, SUBJECT)


def _register(order_id: str, subject_id: str, key: str = "") -> d.RegisterOrderRequest:
    order = d.Order(order_id=order_id, subject_id=subject_id)
    return d.RegisterOrderRequest(order=order, request_id=key)


def _order(house: House, order_id: str = "A-1001") -> Any:
    return house.call(STOREFRONT, d.GetOrderRequest(order_id=order_id))


def _live(house: House, order_id: str = "A-1001") -> list[str]:
    found = _order(house, order_id).deliveries
    return [x.delivery_id for x in found if x.state == d.Delivery.ASSIGNED]


def test_an_order_is_open_once_the_vault_has_applied_it(house: House) -> None:
    answer = house.order()
    assert answer.order.state == d.Order.OPEN
    assert answer.enforcement == State.IN_FORCE
    act = house.call(STOREFRONT, d.GetActRequest(act_id=answer.act_id)).act
    assert (act.kind, act.enforcement) == ("order.registered", State.IN_FORCE)
    (fact,) = house.vault.slices[PLACE].orders
    assert (fact.order_id, fact.open, fact.proposal_id) == ("A-1001", True, answer.act_id)
    elsewhere = d.GetActRequest(act_id=answer.act_id)
    assert house.refused(storefront(OTHER_SITE), elsewhere) == "NOT_FOUND"


def test_an_order_is_pending_while_the_vault_is_away(house: House) -> None:
    house.vault.down = True
    answer = house.order()
    assert answer.order.state == d.Order.PENDING
    assert answer.enforcement == State.PENDING
    recipient = house.recipient()
    request = d.AssignOrderRequest(order_id="A-1001", recipient_id=recipient.recipient_id)
    assert house.refused(STOREFRONT, request) == "STATE_CONFLICT"
    house.vault.down = False
    assert house.push()
    assert _order(house).order.state == d.Order.OPEN
    assert house.call(STOREFRONT, request).enforcement == State.IN_FORCE


def test_the_same_key_registers_one_order(house: House) -> None:
    request = _register("A-1001", SUBJECT, "k1")
    first, second = house.call(STOREFRONT, request), house.call(STOREFRONT, request)
    assert first == second
    assert len(house.rows("SELECT 1 FROM orders")) == 1
    assert len(house.rows("SELECT 1 FROM acts")) == 1


@pytest.mark.parametrize("subject_id", [SUBJECT, NOBODY])
def test_an_order_id_stands_for_one_order_of_the_site(house: House, subject_id: str) -> None:
    house.order()
    assert house.refused(STOREFRONT, _register("A-1001", subject_id)) == "ALREADY_EXISTS"
    elsewhere = _register("A-1001", OTHER_SUBJECT)
    assert house.call(storefront(OTHER_SITE), elsewhere).order.state == d.Order.OPEN


@pytest.mark.parametrize("subject_id", [NOBODY, OTHER_SUBJECT])
def test_an_unknown_subject_and_another_sites_look_the_same(house: House, subject_id: str) -> None:
    assert house.refused(STOREFRONT, _register("A-1001", subject_id, "k1")) == "NOT_FOUND"
    assert house.refused(STOREFRONT, _register("A-1001", subject_id, "k1")) == "NOT_FOUND"
    assert _order(house).order.state == d.Order.REFUSED
    assert house.call(STOREFRONT, _register("A-1001", SUBJECT)).order.state == d.Order.OPEN
    assert _order(house).order.subject_id == SUBJECT
    assert house.refused(STOREFRONT, _register("A-1001", subject_id, "k1")) == "NOT_FOUND"


def test_a_refused_order_was_never_open_and_leaves_the_slice(house: House) -> None:
    house.vault.refuses_orders = "POLICY_DISAGREED"
    assert house.refused(STOREFRONT, _register("A-1001", SUBJECT)) == "POLICY_DISAGREED"
    assert _order(house).order.state == d.Order.REFUSED
    request = d.CloseOrderRequest(order_id="A-1001")
    assert house.refused(STOREFRONT, request) == "STATE_CONFLICT"
    house.vault.refuses_orders = ""
    assert house.push()
    assert list(house.vault.slices[PLACE].orders) == []


def test_an_order_goes_to_an_active_recipient_of_the_site_only(house: House) -> None:
    house.order()
    asked = d.RegisterRecipientRequest(recipient=registration(number=2))
    registered = house.call(officer("one"), asked).recipient.recipient_id
    suspended = house.recipient(number=3).recipient_id
    house.call(officer("one"), d.SuspendRecipientRequest(recipient_id=suspended))
    elsewhere = house.recipient(site_id=OTHER_SITE).recipient_id
    for recipient_id in (registered, suspended, elsewhere, new_uuid()):
        request = d.AssignOrderRequest(order_id="A-1001", recipient_id=recipient_id)
        assert house.refused(STOREFRONT, request) == "NOT_FOUND"
    assert _order(house).deliveries == []
    assert house.vault.slices[PLACE].orders[0].assignments == []


def test_another_sites_order_is_absent(house: House) -> None:
    house.order()
    recipient = house.recipient(site_id=OTHER_SITE)
    shop = storefront(OTHER_SITE)
    for request in (
        d.GetOrderRequest(order_id="A-1001"),
        d.CloseOrderRequest(order_id="A-1001"),
        d.AssignOrderRequest(order_id="A-1001", recipient_id=recipient.recipient_id),
    ):
        assert house.refused(shop, request) == "NOT_FOUND"


def test_a_new_assignment_ends_the_earlier_one_of_its_kind(house: House) -> None:
    first, second = house.recipient(), house.recipient(number=1)
    telecom = house.recipient("TELECOM", 2)
    old, phone = house.delivery(first), house.delivery(telecom)
    assert set(_live(house)) == {old, phone}
    new = house.delivery(second)
    assert set(_live(house)) == {new, phone}
    told = {a.delivery_id: a for a in house.vault.slices[PLACE].orders[0].assignments}
    assert {i for i, a in told.items() if a.HasField("ended_time")} == {old}
    assert house.refused(first, release(old)) == "NOT_AVAILABLE"
    assert house.call(second, release(new)).details.phone


def test_the_same_recipient_again_keeps_its_delivery(house: House) -> None:
    recipient = house.recipient()
    assert house.delivery(recipient) == house.delivery(recipient)
    assert len(house.rows("SELECT 1 FROM acts WHERE kind = 'order.assigned'")) == 1
    house.pass_time(60)
    request = d.AssignOrderRequest(
        order_id="A-1001",
        recipient_id=recipient.recipient_id,
        expire_time=_in(house, 3600),
    )
    other = house.call(STOREFRONT, request).delivery.delivery_id
    assert _live(house) == [other]


def test_the_same_key_assigns_once_also_after_the_order_closed(house: House) -> None:
    recipient = house.recipient()
    house.order()
    request = d.AssignOrderRequest(
        order_id="A-1001", recipient_id=recipient.recipient_id, request_id="k1"
    )
    first = house.call(STOREFRONT, request).delivery.delivery_id
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001"))
    again = house.call(STOREFRONT, request).delivery
    assert (again.delivery_id, again.state) == (first, d.Delivery.ENDED)


def test_the_same_key_assigns_once_also_after_its_time(house: House) -> None:
    recipient = house.recipient()
    house.order()
    request = d.AssignOrderRequest(
        order_id="A-1001",
        recipient_id=recipient.recipient_id,
        expire_time=_in(house, 60),
        request_id="k1",
    )
    first = house.call(STOREFRONT, request).delivery.delivery_id
    house.pass_time(61)
    again = house.call(STOREFRONT, request).delivery
    assert (again.delivery_id, again.state) == (first, d.Delivery.ENDED)
    request.request_id = "k2"
    assert house.refused(STOREFRONT, request) == "INVALID_ARGUMENT"


def test_an_assignment_expires_by_itself(house: House) -> None:
    recipient = house.recipient()
    house.order()
    request = d.AssignOrderRequest(
        order_id="A-1001", recipient_id=recipient.recipient_id, expire_time=_in(house, 60)
    )
    delivery_id = house.call(STOREFRONT, request).delivery.delivery_id
    assert len(house.call(recipient, d.ListDeliveriesRequest()).deliveries) == 1
    house.pass_time(60)
    assert not house.call(recipient, d.ListDeliveriesRequest()).deliveries
    assert house.refused(recipient, release(delivery_id)) == "NOT_AVAILABLE"
    assert house.vault.entries == {}
    late = d.AssignOrderRequest(
        order_id="A-1001", recipient_id=recipient.recipient_id, expire_time=_in(house, 0)
    )
    assert house.refused(STOREFRONT, late) == "INVALID_ARGUMENT"


def test_closing_ends_every_assignment(house: House) -> None:
    recipient, telecom = house.recipient(), house.recipient("TELECOM", 1)
    house.delivery(recipient)
    house.delivery(telecom)
    request = d.CloseOrderRequest(order_id="A-1001", closing=d.Order.CANCELLED)
    answer = house.call(STOREFRONT, request)
    assert (answer.order.state, answer.order.closing) == (d.Order.CLOSED, d.Order.CANCELLED)
    assert answer.enforcement == State.IN_FORCE
    assert _live(house) == []
    (fact,) = house.vault.slices[PLACE].orders
    assert not fact.open
    assert all(a.HasField("ended_time") for a in fact.assignments)
    again = house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001"))
    assert again == answer


def test_a_proposed_order_can_be_closed_before_the_vault_answers(house: House) -> None:
    house.vault.down = True
    house.order()
    answer = house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001"))
    assert (answer.order.state, answer.enforcement) == (d.Order.CLOSED, State.PENDING)
    house.vault.down = False
    house.push()
    assert _order(house).order.state == d.Order.CLOSED
    assert not house.vault.slices[PLACE].orders[0].open


def test_a_closed_order_stays_in_the_slice_for_ninety_days(house: House) -> None:
    house.order("A-1")
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1"))
    house.pass_time(timedelta(days=90).total_seconds())
    house.order("A-2")
    assert [o.order_id for o in house.vault.slices[PLACE].orders] == ["A-1", "A-2"]
    house.pass_time(1)
    house.order("A-3")
    assert [o.order_id for o in house.vault.slices[PLACE].orders] == ["A-2", "A-3"]


def test_evidence_names_every_act_and_no_person(house: House) -> None:
    house.delivery(house.recipient())
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001"))
    rows = house.rows("SELECT event, subject, body FROM evidence_entries ORDER BY entry_id")
    events = [row.event for row in rows if row.event.startswith("order")]
    assert events == [
        "order.registered",
        "order.registered_in_force",
        "order.assigned",
        "order.assigned_in_force",
        "order.closed",
        "order.closed_in_force",
    ]
    assert len({row.subject for row in rows if row.event.startswith("order")}) == 1
    assert not any(SUBJECT in row.body for row in rows)


def test_without_evidence_no_order(
    house: House, locked_evidence: Callable[[], AbstractContextManager[None]]
) -> None:
    with locked_evidence():
        assert house.refused(STOREFRONT, _register("A-1001", SUBJECT)) == "UNAVAILABLE"
    assert house.rows("SELECT 1 FROM orders") == []
    assert house.vault.slices == {}


def _in(house: House, seconds: float) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(house.clock.now() + timedelta(seconds=seconds))
    return message
