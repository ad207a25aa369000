# SPDX-License-Identifier: Apache-2.0
"""Clause 2.2: who disagrees stops using the site, and the site stops with them."""

import pytest

from tests.harness.contacts import new_phone
from tests.policy.person import DATA, FULL_NAME, Person, is_refused, release
from tests.policy.records import Records


@pytest.fixture
def disagreeing(person: Person) -> Person:
    """Somebody with data who has disagreed."""
    assert person.reject().json["enforcement"] == "IN_FORCE"
    return person


def test_after_disagreement_new_data_are_refused_and_that_is_recorded(
    disagreeing: Person, records: Records
) -> None:
    """T-2.2-a"""
    refused = disagreeing.place({"phone": new_phone()})
    assert is_refused(refused, 403, "POLICY_DISAGREED", "2.2")
    assert disagreeing.standing()["dataVersion"] == 1
    assert records.refusals("vault", disagreeing, "data.stored") == [("POLICY_DISAGREED", "2.2")]


def test_after_disagreement_a_consent_is_refused_and_that_is_recorded(
    disagreeing: Person, records: Records
) -> None:
    """T-2.2-a"""
    assert is_refused(disagreeing.grant("NEWS"), 403, "POLICY_DISAGREED", "2.2")
    assert disagreeing.consents()["consents"] == []
    assert records.refusals("consent", disagreeing, "consent.granted") == [
        ("POLICY_DISAGREED", "2.2")
    ]


def test_after_disagreement_an_order_is_refused_and_that_is_recorded(
    disagreeing: Person, records: Records
) -> None:
    """T-2.2-a"""
    assert is_refused(disagreeing.order(), 403, "POLICY_DISAGREED", "2.2")
    assert disagreeing.standing()["openOrders"] == 0
    entries = records.entries("disclosure", disagreeing)
    assert [e["reason"] for e in entries if "reason" in e] == ["POLICY_DISAGREED"]


def test_after_disagreement_data_serve_no_purpose(disagreeing: Person) -> None:
    """T-2.2-a"""
    assert is_refused(disagreeing.read("IDENTIFY_FOR_ORDER"), 403, "POLICY_DISAGREED", "2.2")


def test_use_after_disagreement_is_no_acceptance(disagreeing: Person) -> None:
    """T-2.2-b"""
    for kind in ("VIEW", "LOGIN", "FORM_SUBMIT", "ORDER"):
        assert disagreeing.use(kind=kind).json["acceptance"]["mode"] == "DISAGREED"
    assert disagreeing.consents()["acceptance"]["mode"] == "DISAGREED"
    assert is_refused(disagreeing.place(DATA), 403, "POLICY_DISAGREED", "2.2")


def test_use_after_disagreement_does_not_accept_a_new_version_either(disagreeing: Person) -> None:
    """T-2.2-b"""
    assert disagreeing.site.publish().status == 200
    assert disagreeing.use().json["acceptance"]["mode"] == "DISAGREED"
    assert is_refused(disagreeing.place(DATA), 403, "POLICY_DISAGREED", "2.2")


def test_only_an_express_acceptance_ends_disagreement(disagreeing: Person) -> None:
    """T-2.2-b"""
    accepted = disagreeing.accept().json
    assert (accepted["acceptance"]["mode"], accepted["enforcement"]) == ("EXPRESS", "IN_FORCE")
    assert disagreeing.placed({"phone": new_phone()}) == 2


def test_a_courier_finishes_an_order_that_was_placed_before_disagreement(person: Person) -> None:
    """T-2.2-c"""
    delivery_id = person.assigned()
    assert person.reject().json["enforcement"] == "IN_FORCE"
    released = release(person.site, delivery_id)
    assert released.status == 200
    assert released.json["details"]["name"] == FULL_NAME


@pytest.mark.parametrize("purpose", ["NEWS", "ACCOUNT"])
def test_a_consent_that_was_given_before_disagreement_does_not_come_back(
    person: Person, purpose: str
) -> None:
    """T-2.2-b"""
    assert person.grant(purpose).status == 200
    assert person.reject().status == 200
    told = {c["purpose"]: c["state"] for c in person.consents()["consents"]}
    assert told[purpose] == "WITHDRAWN"
    assert person.accept().status == 200
    assert is_refused(person.read(purpose), 403, "CONSENT_WITHDRAWN")
    proof = person.ask("GET", f"/consents/{purpose}:prove").json
    assert proof["consent"]["state"] == "WITHDRAWN"
    assert any("policy.rejected" in each["body"] for each in proof["evidence"]), proof["evidence"]
    assert person.grant(purpose).status == 200
    assert person.data(purpose)
