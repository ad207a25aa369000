# SPDX-License-Identifier: Apache-2.0
"""Clause 6.1.1: users give correct data; the system judges their form only."""

from tests.policy.person import DATA
from tests.policy.site import Site

WRONG: dict[str, object] = {
    "familyName": "",
    "givenName": 7,
    "phone": "8 701 12",
    "email": "nursultan(at)example.kz",
    "address": {"country": "ZZ", "postalCode": "05000", "locality": "Алматы"},
}
NAMED = {
    "data.familyName",
    "data.givenName",
    "data.phone",
    "data.email",
    "data.address.country",
}


def test_every_wrong_field_is_named_with_its_reason_and_nothing_is_stored(site: Site) -> None:
    """T-6.1.1-a"""
    person = site.person()
    for name, value in WRONG.items():
        refused = person.place({**DATA, name: value})
        assert (refused.status, refused.code, refused.clause) == (400, "INVALID_ARGUMENT", "6.1.1")
        assert refused.fields
        assert {field.split(".")[1] for field in refused.fields} == {name}
        assert all(error["code"] and error["detail"] for error in refused.json["errors"])
    assert person.standing()["dataVersion"] == 0


def test_all_wrong_fields_of_right_type_are_named_at_once(site: Site) -> None:
    """T-6.1.1-a"""
    person = site.person()
    refused = person.place({**WRONG, "givenName": "Нұрсұлтан"})
    assert NAMED - {"data.givenName"} <= set(refused.fields)


def test_a_problem_says_what_is_wrong_without_saying_the_value(site: Site) -> None:
    """T-6.1.1-a"""
    refused = site.person().place({"phone": "8 701 99999", "email": "tajny@@example.kz"})
    assert set(refused.fields) == {"data.phone", "data.email"}
    for told in ("99999", "tajny"):
        assert told not in refused.content.decode()


def test_truth_is_not_judged(site: Site) -> None:
    """T-6.1.1-a"""
    invented = {"familyName": "Ойдаңшығарылған", "phone": "+77770000000"}
    assert site.person(invented).data() == invented
