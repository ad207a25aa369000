# SPDX-License-Identifier: Apache-2.0
"""The broker's pure rules, enumerated (I12), and what a slice has room for."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

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
from services.disclosure.permission import REPEAT_WINDOW, Fetches, denial
from services.disclosure.recipient import Kind, Recipient, RecipientState, Terms, Validity
from services.disclosure.release import FIELDS, ReleaseState, parcel_name, reconciled

NOW = datetime(2026, 11, 23, 9, 30, 30, 5, tzinfo=UTC)
UUID = "01930000-0000-7000-8000-{:012x}"


def _recipient(terms: Terms) -> Recipient:
    state, kind = RecipientState.ACTIVE, Kind.COURIER
    bin_number, registrar = "971240001315", "person/x"
    return Recipient("demo", UUID.format(1), kind, "T", bin_number, terms, state, NOW, registrar)


def _delivery(expire_time: datetime | None = None, ended_time: datetime | None = None) -> Delivery:
    return Delivery(
        site_id="demo",
        delivery_id=UUID.format(2),
        registration_id=UUID.format(3),
        order_id="A-1",
        subject_id="a" * 32,
        recipient_id=UUID.format(1),
        kind=Kind.COURIER,
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
    end = _delivery(NOW, NOW - timedelta(days=1))
    return OrderFacts(order, (end,) * deliveries)


SECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("delivery", "rule"),
    [
        (_delivery(), ""),
        (_delivery(expire_time=NOW + SECOND), ""),
        (_delivery(expire_time=NOW), "assignment-ended"),
        (_delivery(ended_time=NOW - timedelta(days=1)), "assignment-ended"),
        (replace(_delivery(), recipient_id=UUID.format(9)), "assigned-to-another"),
        (replace(_delivery(), kind=Kind.POSTAL), "assigned-to-another"),
    ],
)
def test_an_assignment_is_live_until_it_ends_and_for_its_recipient_alone(
    delivery: Delivery, rule: str
) -> None:
    asker = _recipient(Terms("A"))
    found = denial(asker, asker.recipient_id, "", delivery, OrderState.OPEN, Fetches(), NOW)
    assert (found.rule if found else "") == rule


@pytest.mark.parametrize(
    ("now", "validity"),
    [
        # Midnight in Almaty is 19:00 of the day before in UTC.
        (datetime(2026, 11, 22, 18, 59, 59, tzinfo=UTC), Validity.NOT_BEGUN),
        (datetime(2026, 11, 22, 19, 0, tzinfo=UTC), Validity.VALID),
        (datetime(2026, 11, 30, 18, 59, 59, tzinfo=UTC), Validity.VALID),
        (datetime(2026, 11, 30, 19, 0, tzinfo=UTC), Validity.LAPSED),
    ],
)
def test_an_agreement_is_valid_from_its_first_to_its_last_day(
    now: datetime, validity: Validity
) -> None:
    terms = Terms("A", date(2026, 11, 23), date(2026, 11, 30))
    assert terms.validity(now) is validity
    assert Terms("A").validity(now) is Validity.VALID


@pytest.mark.parametrize(
    ("bound", "presented", "rule"),
    [
        ("", "", ""),
        ("", "a" * 64, ""),
        ("a" * 64, "a" * 64, ""),
        ("a" * 64, "b" * 64, "certificate-another"),
        ("a" * 64, "", "certificate-another"),
    ],
)
def test_keys_bound_to_a_certificate_open_nothing_without_it(
    bound: str, presented: str, rule: str
) -> None:
    asker = _recipient(Terms("A", certificate_sha256=bound))
    recipient_id = asker.recipient_id
    found = denial(asker, recipient_id, presented, _delivery(), OrderState.OPEN, Fetches(), NOW)
    assert (found.rule if found else "") == rule


def test_a_repeat_within_ten_minutes_does_not_count() -> None:
    fetched = Fetches(3, NOW)
    assert not fetched.counts(NOW + REPEAT_WINDOW)
    assert fetched.counts(NOW + REPEAT_WINDOW + SECOND)
    assert fetched.left(3, NOW + REPEAT_WINDOW)
    assert not fetched.left(3, NOW + REPEAT_WINDOW + SECOND)
    assert fetched.left(4, NOW + REPEAT_WINDOW + SECOND)
    assert Fetches().left(1, NOW)


def test_every_kind_of_clause_5_2_has_its_field_set_and_none_an_email() -> None:
    assert set(FIELDS) == set(Kind)
    assert FIELDS[Kind.TELECOM] == {"phone", "messageText"}
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
