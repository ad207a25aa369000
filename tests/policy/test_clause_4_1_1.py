# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.1: identifying a user for an order."""

from tests.policy.person import CONTACT, Person, is_refused
from tests.policy.site import Site
from tests.policy.visiting import bought


def test_identification_reaches_name_phone_and_email_and_nothing_bought(person: Person) -> None:
    """T-4.1.1-a"""
    bought(person, person.ordered(), "Шай")
    assert person.read("PERSONAL_RESOURCES").json["purchases"]
    assert not person.read("IDENTIFY_FOR_ORDER").json.get("purchases")
    assert person.data("IDENTIFY_FOR_ORDER") == {name: person.own[name] for name in CONTACT}


def test_nothing_bought_can_be_asked_for_either(person: Person) -> None:
    """T-4.1.1-a"""
    asked = person.read("IDENTIFY_FOR_ORDER", fields=["purchases"])
    assert is_refused(asked, 403, "FIELD_NOT_PERMITTED", "6.2.1")


def test_a_guest_without_account_is_identified_as_well(site: Site) -> None:
    """T-4.1.1-a"""
    guest = site.person({"givenName": "Әсел", "phone": "+77011234567"})
    assert is_refused(guest.read("ACCOUNT"), 403, "CONSENT_REQUIRED", "4.1.6")
    assert guest.data() == guest.own
