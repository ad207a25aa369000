# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1: a closed list of purposes, each with the data it reaches."""

import pytest

from services.chassis.ids import new_uuid
from tests.policy.person import CONTACT, DATA, EXPRESS, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site

_NAME = {"familyName", "givenName", "patronymic"}
# The readable purposes and what each may reach of what can be stored (architecture, section 5).
REACHED: dict[str, set[str]] = {
    "IDENTIFY_FOR_ORDER": CONTACT,
    "PERSONAL_RESOURCES": _NAME | {"email"},
    "FEEDBACK": CONTACT,
    "SECURITY_LOCATION": set(),
    "ACCOUNT": CONTACT | {"address"},
    "ORDER_STATUS": CONTACT,
    "PAYMENT": CONTACT,
    "SUPPORT": CONTACT,
    "NEWS": CONTACT,
    "ADVERTISING": CONTACT,
    "PARTNER_SITES": set(),
}
NO_PURPOSES = ["", "MARKETING", "identify_for_order", "CODE_UNSPECIFIED", "AUTOMATED_DECISION"]


@pytest.mark.parametrize("purpose", NO_PURPOSES)
def test_a_purpose_outside_the_list_is_refused_and_recorded(
    person: Person, records: Records, purpose: str
) -> None:
    """T-4.1-a"""
    assert is_refused(person.read(purpose), 400, "PURPOSE_UNKNOWN", "4.1")
    assert records.refusals("vault", person, "data.read") == [("PURPOSE_UNKNOWN", "4.1")]


@pytest.mark.parametrize("purpose", ["MARKETING", "news", "CODE_UNSPECIFIED"])
def test_nobody_consents_to_a_purpose_outside_the_list(person: Person, purpose: str) -> None:
    """T-4.1-a"""
    assert is_refused(person.grant(purpose), 400, "PURPOSE_UNKNOWN", "4.1")


@pytest.fixture(scope="module")
def open_person(site: Site) -> Person:
    """Somebody whose data every purpose may reach: with all consents and an open order."""
    person = site.person(DATA)
    for purpose in EXPRESS:
        assert person.grant(purpose).status == 200
    person.ordered()
    return person


@pytest.mark.parametrize("purpose", REACHED)
def test_a_purpose_reaches_its_own_data_and_no_others(open_person: Person, purpose: str) -> None:
    """T-4.1-b"""
    assert set(_read(open_person, purpose)) == REACHED[purpose]


@pytest.mark.parametrize("purpose", REACHED)
def test_what_a_purpose_does_not_reach_is_refused_where_it_is_asked_for(
    open_person: Person, purpose: str
) -> None:
    """T-4.1-b"""
    for field in set(DATA) - REACHED[purpose]:
        asked = open_person.read(
            purpose, reference=_reference(open_person, purpose), fields=[field]
        )
        assert is_refused(asked, 403, "FIELD_NOT_PERMITTED", "6.2.1")


@pytest.mark.parametrize("purpose", REACHED)
def test_what_a_purpose_does_not_reach_is_not_even_decrypted(
    open_person: Person, records: Records, purpose: str
) -> None:
    """T-4.1-b"""
    with records.damaged(open_person, set(DATA) - REACHED[purpose]):
        assert set(_read(open_person, purpose)) == REACHED[purpose]


def test_what_a_purpose_reaches_is_decrypted(open_person: Person, records: Records) -> None:
    """T-4.1-b"""
    # Else the test before would show nothing.
    with records.damaged(open_person, ["address"]):
        assert open_person.read("ACCOUNT").code == "DATA_LOSS"
        assert open_person.read("ACCOUNT", fields=["phone"]).status == 200
    assert open_person.read("ACCOUNT").status == 200


def test_a_batch_gives_each_member_what_its_own_purpose_reaches(open_person: Person) -> None:
    """T-4.1-b"""
    items = [
        {
            "subjectId": open_person.subject_id,
            "purpose": purpose,
            "reference": _reference(open_person, purpose),
        }
        for purpose in REACHED
    ]
    body = {"items": items}
    answer = open_person.site.good("storefront", "POST", "/v1/data:batchRead", body).json
    reached = [set(outcome["read"].get("data", {})) for outcome in answer["outcomes"]]
    assert dict(zip(REACHED, reached, strict=True)) == REACHED


def _read(person: Person, purpose: str) -> dict[str, object]:
    return person.data(purpose, reference=_reference(person, purpose))


def _reference(person: Person, purpose: str) -> str:
    """A template for feedback; else an order of the person's that is open, which does for all."""
    if purpose == "FEEDBACK":
        return person.site.template()
    for asked in person.site.asked:
        order = asked.json.get("order", {})
        if order.get("subjectId") == person.subject_id:
            return str(order["orderId"])
    return new_uuid()
