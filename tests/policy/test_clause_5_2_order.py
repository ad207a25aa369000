# SPDX-License-Identifier: Apache-2.0
"""Clause 5.2: an order's own address, its message for the telecom operator, its public offer."""

import secrets
from itertools import product
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from cli.conversation import Answered
from tests.harness.contacts import new_phone
from tests.policy.person import ADDRESS, Person, is_refused, release
from tests.policy.site import Site

ELSEWHERE = {**ADDRESS, "street": "проспект Достык", "house": "200"}
VERIFIED = {**ADDRESS, "street": "улица Сатпаева", "house": "22"}
MESSAGE = f"Тапсырысыңыз жолда: {secrets.token_hex(8)}"


def _placed(person: Person, **more: object) -> Answered:
    order = {"orderId": f"P-{secrets.token_hex(6)}", "subjectId": person.subject_id, **more}
    return person.site.ask("storefront", "POST", "/v1/orders", {"order": order})


def _ordered(person: Person, **more: object) -> str:
    answered = _placed(person, **more)
    assert answered.status == 200, answered.content.decode()
    return str(answered.json["order"]["orderId"])


def _given(person: Person, delivery_id: str, who: str = "courier") -> dict[str, Any]:
    answered = release(person.site, delivery_id, who)
    assert answered.status == 200, answered.content.decode()
    details: dict[str, Any] = answered.json["details"]
    return details


def _kept(person: Person) -> list[str]:
    """The kinds of document that the vault keeps for the person's orders."""
    engine = create_engine(person.site.suite.database_url("vault", "owner"))
    query = "SELECT kind FROM documents WHERE owner_id = :owner AND kind <> 'STATEMENT' ORDER BY 1"
    try:
        with engine.connect() as connection:
            rows = connection.execute(text(query), {"owner": person.subject_id})
            return [
                str(row.kind) for row in rows if row.kind in ("DELIVERY_ADDRESS", "MESSAGE_TEXT")
            ]
    finally:
        engine.dispose()


@pytest.mark.parametrize(("choice", "expected"), [("SNAPSHOT", ADDRESS), ("CURRENT", ELSEWHERE)])
def test_an_order_goes_to_the_address_of_its_placing_or_the_present_one_by_choice(
    person: Person, choice: str, expected: object
) -> None:
    """T-5.2-a"""
    order_id = _ordered(person, deliveryAddress=choice)
    delivery_id = person.assigned("courier", order_id)
    person.placed({"address": ELSEWHERE})
    assert _given(person, delivery_id)["address"] == expected
    assert _kept(person) == (["DELIVERY_ADDRESS"] if choice == "SNAPSHOT" else [])


def test_an_order_without_a_choice_goes_to_the_present_address(person: Person) -> None:
    """T-5.2-a"""
    order_id = _ordered(person)
    told = person.site.good("storefront", "GET", f"/v1/orders/{order_id}").json["order"]
    assert told["deliveryAddress"] == "CURRENT"
    delivery_id = person.assigned("courier", order_id)
    person.placed({"address": ELSEWHERE})
    assert _given(person, delivery_id)["address"] == ELSEWHERE


def test_a_verified_correction_reaches_open_orders(person: Person) -> None:
    """T-6.2.3-e"""
    order_id = _ordered(person, deliveryAddress="SNAPSHOT")
    delivery_id = person.assigned("courier", order_id)
    claim = person.claimed()
    person.concluded(claim["claimId"], "INACCURATE_CONFIRMED", correction={"address": VERIFIED})
    assert _given(person, delivery_id)["address"] == VERIFIED


def test_a_correction_of_something_else_leaves_the_orders_address(person: Person) -> None:
    """T-6.2.3-e"""
    new = new_phone()
    order_id = _ordered(person, deliveryAddress="SNAPSHOT")
    delivery_id = person.assigned("courier", order_id)
    person.placed({"address": ELSEWHERE})
    claim = person.claimed()
    person.concluded(claim["claimId"], "INACCURATE_CONFIRMED", correction={"phone": new})
    details = _given(person, delivery_id)
    assert (details["address"], details["phone"]) == (ADDRESS, new)


def test_what_was_kept_for_an_order_goes_with_it(person: Person) -> None:
    """T-5.2-a"""
    order_id = _ordered(person, deliveryAddress="SNAPSHOT", messageText=MESSAGE)
    assert _kept(person) == ["DELIVERY_ADDRESS", "MESSAGE_TEXT"]
    person.site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    assert _kept(person) == []


def test_a_telecom_operator_gets_the_message_and_nobody_else_does(person: Person) -> None:
    """T-5.2-a"""
    order_id = _ordered(person, messageText=MESSAGE)
    telecom = _given(person, person.assigned("telecom", order_id), "telecom")
    assert telecom["messageText"] == MESSAGE
    assert set(telecom) == {"orderId", "phone", "messageText"}
    assert "messageText" not in _given(person, person.assigned("courier", order_id))
    lines = {line["recipientKind"]: line for line in person.disclosures()}
    assert sorted(lines["TELECOM"]["fields"]) == ["messageText", "phone"]
    assert "messageText" not in lines["COURIER"]["fields"]
    told = person.site.good("storefront", "GET", f"/v1/orders/{order_id}").content
    assert MESSAGE.encode() not in told


def test_a_message_stands_in_no_books_but_sealed(person: Person) -> None:
    """T-5.2-a"""
    _ordered(person, messageText=MESSAGE)
    for database in ("disclosure", "vault"):
        engine = create_engine(person.site.suite.database_url(database, "owner"))
        with engine.connect() as connection:
            tables = connection.execute(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema='public'")
            )
            names = [name for (name,) in tables.all()]
            assert names
            # PostgreSQL spells bytes in hexadecimal digits.
            for table, told in product(names, (MESSAGE[-16:], MESSAGE[-16:].encode().hex())):
                query = f"SELECT count(*) FROM {table} t WHERE strpos(t::text, :message) > 0"
                found = connection.execute(text(query), {"message": told}).scalar_one()
                assert not found, table
        engine.dispose()


def test_a_message_that_is_too_long_is_refused_by_its_field(person: Person) -> None:
    """T-5.2-a"""
    refused = _placed(person, messageText="ж" * 1001)
    assert is_refused(refused, 400, "INVALID_ARGUMENT")
    assert refused.fields == ("order.messageText",)


def test_an_order_keeps_the_version_of_the_public_offer_it_was_placed_under(
    own_site: Site,
) -> None:
    """T-5.2-b"""
    person = own_site.person()
    first, older = _ordered(person), own_site.publish().json["policy"]["version"] - 1
    second = _ordered(person)
    versions = [
        own_site.good("storefront", "GET", f"/v1/orders/{each}").json["order"]["policyVersion"]
        for each in (first, second)
    ]
    assert versions == [older, older + 1]
