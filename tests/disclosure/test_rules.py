# SPDX-License-Identifier: Apache-2.0
"""The broker's pure rules, enumerated (I12), and what a slice has room for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from qupia.vault.v1 import vault_pb2
from services.disclosure import wire
from services.disclosure.ledger import minute_of
from services.disclosure.order import (
    MOST_BYTES,
    MOST_DELIVERIES,
    MOST_ORDERS,
    Delivery,
    Order,
    OrderFacts,
    OrderState,
    overfull,
    sliced,
)
from services.disclosure.recipient import Kind, Recipient, RecipientState
from services.disclosure.release import FIELDS, ReleaseState, denial, parcel_name, reconciled

NOW = datetime(2026, 11, 23, 9, 30, 30, 5, tzinfo=UTC)
ASSIGNMENTS = {
    "live": (None, None),
    "expiring": (NOW + timedelta(microseconds=1), None),
    "expired": (NOW, None),
    "ended": (None, NOW - timedelta(days=1)),
}
UUID = "01930000-0000-7000-8000-{:012x}"


def _recipient(state: RecipientState, kind: Kind) -> Recipient:
    return Recipient("demo", UUID.format(1), kind, "T", "971240001315", "A", state, NOW, "person/x")


def _delivery(kind: Kind, assignment: str = "live", number: int = 2) -> Delivery:
    expire_time, ended_time = ASSIGNMENTS[assignment]
    return Delivery(
        site_id="demo",
        delivery_id=UUID.format(number),
        registration_id=UUID.format(3),
        order_id="A-1",
        subject_id="a" * 32,
        recipient_id=UUID.format(1),
        kind=kind,
        assign_time=NOW,
        act_id=UUID.format(4),
        expire_time=expire_time,
        ended_time=ended_time,
    )


def _order(number: int, state: OrderState, deliveries: int = 1) -> OrderFacts:
    placed = NOW + timedelta(seconds=number)
    order = Order(
        site_id="demo",
        registration_id=UUID.format(number),
        order_id="A" * 58 + f"{number:06}",
        subject_id="a" * 32,
        policy_version=2**31 - 1,
        state=state,
        register_time=placed,
        act_id=UUID.format(number),
        close_time=placed if state is OrderState.CLOSED else None,
    )
    end = replace(_delivery(Kind.COURIER, "ended"), expire_time=NOW)
    return OrderFacts(order, (end,) * deliveries)


def test_only_an_active_recipient_with_a_live_assignment_of_an_open_order_is_served() -> None:
    askers = [None, *(_recipient(s, k) for s in RecipientState for k in Kind)]
    served, seen = 0, 0
    for asker, own, kind, state, assignment in product(
        askers, (True, False), Kind, OrderState, ASSIGNMENTS
    ):
        recipient_id = UUID.format(1 if own else 9)
        found = denial(asker, recipient_id, _delivery(kind, assignment), state, NOW)
        seen += 1
        if asker is None or asker.state is not RecipientState.ACTIVE:
            expected = "RECIPIENT_NOT_PERMITTED"
        elif not own or asker.kind is not kind:
            expected = "ORDER_RECIPIENT_MISMATCH"
        elif state is not OrderState.OPEN:
            expected = "NO_ACTIVE_ORDER"
        elif assignment in ("expired", "ended"):
            expected = "ORDER_RECIPIENT_MISMATCH"
        else:
            expected = ""
            served += 1
        assert (found.reason if found else "") == expected
        assert found is None or found.clause in ("5.2", "6.2.2")
    assert (seen, served) == (10 * 2 * 3 * 4 * 4, 3 * 2)


def test_every_kind_of_clause_5_2_has_its_field_set_and_none_an_email() -> None:
    assert set(FIELDS) == set(Kind)
    assert FIELDS[Kind.TELECOM] == {"phone"}
    assert not any({"email", "purchases"} & fields for fields in FIELDS.values())


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Әбілқайырұлы", "Нұрсұлтан", "Ғалымұлы"), "Әбілқайырұлы Нұрсұлтан Ғалымұлы"),
        (("", "Sukarno", ""), "Sukarno"),
        (("Ли", "Анна", ""), "Ли Анна"),
        (("", "", ""), ""),
    ],
)
def test_a_parcel_bears_family_given_and_fathers_name(
    parts: tuple[str, str, str], name: str
) -> None:
    assert parcel_name(*parts) == name


def test_a_release_without_an_answer_is_never_called_released() -> None:
    assert reconciled("entry") is ReleaseState.RELEASED_UNCERTAIN
    assert reconciled("") is ReleaseState.WITHDRAWN


def test_a_slice_names_every_order_under_way_before_any_closed_one() -> None:
    under_way = [_order(n, OrderState.OPEN) for n in range(300)]
    closed = [_order(n, OrderState.CLOSED) for n in range(300, 1200)]
    kept = sliced(under_way + closed)
    assert [f for f in kept if not f.closed] == under_way
    newest = [f for f in kept if f.closed]
    assert 0 < len(newest) < 900
    assert newest == closed[-len(newest) :]
    assert kept == sliced(reversed(kept))


@pytest.mark.parametrize(("count", "deliveries"), [(1200, 0), (700, 1), (40, 100)])
def test_a_slice_keeps_within_the_bounds_of_its_contract(count: int, deliveries: int) -> None:
    states = (OrderState.OPEN, OrderState.CLOSED, OrderState.CLOSED)
    kept = sliced(_order(n, states[n % 3], deliveries) for n in range(count))
    assert len(kept) <= MOST_ORDERS
    assert len(wire.slice_bytes(kept)) <= MOST_BYTES
    assert len(vault_pb2.OrderSlice.FromString(wire.slice_bytes(kept)).orders) == len(kept)


def test_more_than_a_slice_can_tell_is_not_permitted() -> None:
    assert not overfull([_order(n, OrderState.OPEN, 0) for n in range(MOST_ORDERS)])
    assert overfull([_order(n, OrderState.PENDING, 0) for n in range(MOST_ORDERS + 1)])
    assert not overfull([_order(1, OrderState.OPEN, MOST_DELIVERIES)])
    assert overfull([_order(1, OrderState.OPEN, MOST_DELIVERIES + 1)])
    assert overfull([_order(n, OrderState.OPEN, 20) for n in range(100)])
    assert not overfull([_order(n, OrderState.CLOSED, 20) for n in range(100)])


def test_refusals_count_within_their_minute() -> None:
    assert minute_of(NOW) == datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
