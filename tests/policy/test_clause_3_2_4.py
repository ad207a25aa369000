# SPDX-License-Identifier: Apache-2.0
"""Clause 3.2.4: "other data" are those that are listed, and no others."""

import pytest

from qupia.subject.v1 import subject_pb2
from services.chassis.contract import is_map
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.site import Site

LISTED = {
    *("familyName", "givenName", "patronymic", "phone", "email", "configured"),
    *(f"address.{part}" for part in ("country", "region", "district", "locality", "street")),
    *(f"address.{part}" for part in ("house", "block", "flat", "postalCode")),
}


@pytest.mark.parametrize("name", ["other", "OTHER", "otherData", "extra", "notes"])
def test_there_is_no_category_for_whatever_else(site: Site, name: str) -> None:
    """T-3.2.4-a"""
    person = site.person()
    refused = person.place({**DATA, name: "всё прочее"})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == (f"data.{name}",)
    assert person.standing()["dataVersion"] == 0


@pytest.mark.parametrize("name", ["shoeSize", "other", "phone"])
def test_what_the_site_has_not_added_is_refused_by_name_and_nothing_is_stored(
    site: Site, name: str
) -> None:
    """T-3.2.4-a, T-3.2-a"""
    person = site.person()
    refused = person.place({**DATA, "configured": {name: "43"}})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == (f"data.configured.{name}",)
    assert person.standing()["dataVersion"] == 0


def test_what_the_site_has_added_is_kept_for_its_purposes_alone(person: Person) -> None:
    """T-3.2.4-a"""
    person.placed({"configured": {"loyaltyCard": "KZ-7788"}})
    support = person.data("SUPPORT", reference="CASE-1")
    assert support["configured"] == {"loyaltyCard": "KZ-7788"}
    assert "configured" not in person.data("IDENTIFY_FOR_ORDER")
    wanted = person.read("IDENTIFY_FOR_ORDER", fields=["configured.loyaltyCard"])
    assert is_refused(wanted, 403, "FIELD_NOT_PERMITTED", "6.2.1")
    delivery = person.assigned("courier")
    assert "KZ-7788" not in release(person.site, delivery).content.decode()
    person.placed({"configured": {"loyaltyCard": None}})
    assert "configured" not in person.data("SUPPORT", reference="CASE-1")


def test_what_the_site_has_added_is_blocked_with_the_rest(person: Person) -> None:
    """T-3.2.4-a"""
    person.placed({"configured": {"loyaltyCard": "KZ-7788"}})
    person.claimed()
    assert is_refused(person.read("SUPPORT", reference="CASE-1"), 409, "SUBJECT_BLOCKED", "6.2.3")
    changed = person.place({"configured": {"loyaltyCard": "KZ-1"}})
    assert is_refused(changed, 409, "SUBJECT_BLOCKED", "6.2.3")


@pytest.mark.parametrize("who", ["storefront", "courier", "auditor", "claimsOfficer"])
def test_anyone_is_shown_the_approved_list_with_what_each_datum_is_for(
    site: Site, who: str
) -> None:
    """T-3.2.4-a"""
    assert site.recipients
    fields = {f["name"]: f for f in site.good(who, "GET", "/v1/data-fields").json["fields"]}
    card = fields["configured.loyaltyCard"]
    assert {label["language"] for label in card["labels"]} == {"kk", "ru", "en"}
    assert set(card["purposes"]) == {"PERSONAL_RESOURCES", "SUPPORT", "NEWS", "VERIFY_DATA"}
    assert (card["personal"], card["placed"], card["clause"]) == (True, True, "3.2.4")
    assert fields["familyName"]["clause"] == "3.2.1"
    assert not fields["technical.ip"]["placed"]


def test_the_record_of_a_consent_lists_what_it_reaches(person: Person) -> None:
    """T-3.2.4-a"""
    assert person.grant("NEWS").status == 200
    proven = person.ask("GET", "/consents/NEWS:prove", who="auditor").json
    assert "configured.loyaltyCard" in proven["record"]["hasPersonalData"]
    pages = {page["language"]: page["html"] for page in proven["pages"]}
    assert "Адалдық картасының нөмірі" in pages["kk"]
    assert "Номер карты лояльности" in pages["ru"]


def test_the_contract_lists_every_datum_that_can_be_placed() -> None:
    """T-3.2.4-a"""
    found = set()
    for field in subject_pb2.PersonalData.DESCRIPTOR.fields:
        parts = field.message_type.fields if field.message_type and not is_map(field) else ()
        found |= {f"{field.json_name}.{part.json_name}" for part in parts} or {field.json_name}
    assert found == LISTED
