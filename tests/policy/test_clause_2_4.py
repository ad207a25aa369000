# SPDX-License-Identifier: Apache-2.0
"""Clause 2.4: whether data are true is not checked when they are placed."""

import pytest

from tests.harness.contacts import new_phone
from tests.policy.person import Person
from tests.policy.site import Site


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("familyName", "Ешкімов"),
        ("phone", "+77770000000"),
        ("email", "nobody@nowhere.example.kz"),
        ("address", {"country": "KZ", "locality": "Жоққала", "street": "Болмаған", "house": "0"}),
    ],
)
def test_what_nobody_can_verify_is_stored_all_the_same(
    site: Site, name: str, value: object
) -> None:
    """T-2.4-a"""
    person = site.person()
    assert person.grant("ACCOUNT").status == 200
    assert person.placed({name: value}) == 1
    assert person.data("ACCOUNT") == {name: value}


def test_data_contrary_to_each_other_are_stored_as_they_were_given(person: Person) -> None:
    """T-2.4-a"""
    contrary = {"country": "RU", "locality": "Алматы", "postalCode": "101000"}
    person.placed({"address": {**contrary, "street": None, "house": None, "flat": None}})
    assert person.grant("ACCOUNT").status == 200
    assert person.data("ACCOUNT")["address"] == contrary


def test_every_datum_is_unverified_until_a_verification_has_written_it(person: Person) -> None:
    """T-2.4-a"""
    assert {v["verification"] for v in person.versions()} == {"UNVERIFIED"}
    claim_id = person.claimed()["claimId"]
    person.concluded(claim_id, "INACCURATE_CONFIRMED", correction={"phone": new_phone()})
    found = {(v["field"], v["version"]): v["verification"] for v in person.versions()}
    assert found.pop(("phone", 2)) == "VERIFIED"
    assert set(found.values()) == {"UNVERIFIED"}
