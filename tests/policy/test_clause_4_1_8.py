# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.8: payments, and credit decisions that nobody makes unasked."""

from tests.policy.person import CONTACT, Person, is_refused
from tests.policy.visiting import bought


def test_a_payment_reaches_name_and_contact_only(person: Person) -> None:
    """T-4.1.8-a"""
    assert set(person.data("PAYMENT", reference=person.ordered())) == CONTACT


def test_a_payment_names_what_is_paid(person: Person) -> None:
    """T-4.1.8-a"""
    assert is_refused(person.read("PAYMENT"), 400, "REFERENCE_REQUIRED", "4.1.8")


def test_an_automated_credit_decision_needs_a_consent_of_its_own(person: Person) -> None:
    """T-4.1.8-a"""
    order_id = person.ordered()
    asked = person.read("PAYMENT", reference=order_id, automatedDecision=True)
    assert is_refused(asked, 403, "CONSENT_REQUIRED", "4.1.8")
    assert person.grant("AUTOMATED_DECISION").status == 200
    assert set(person.data("PAYMENT", reference=order_id, automatedDecision=True)) == CONTACT
    assert person.withdraw("AUTOMATED_DECISION").status == 200
    asked = person.read("PAYMENT", reference=order_id, automatedDecision=True)
    assert is_refused(asked, 403, "CONSENT_WITHDRAWN", "4.1.8")
    assert person.read("PAYMENT", reference=order_id).status == 200


def test_a_payment_reaches_the_lines_of_what_is_paid_and_of_nothing_else(person: Person) -> None:
    """T-4.1.8-a"""
    paid, other = person.ordered(), person.ordered()
    lines = bought(person, paid, "Кітап", "Қалам")
    bought(person, other, "Шам")
    assert person.read("PAYMENT", reference=paid).json["purchases"] == [lines]
    assert not person.read("PAYMENT", reference="payment-1").json.get("purchases")
    orders = person.read("PERSONAL_RESOURCES").json["purchases"]
    assert {each["orderId"] for each in orders} == {paid, other}
