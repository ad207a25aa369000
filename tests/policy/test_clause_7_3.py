# SPDX-License-Identifier: Apache-2.0
"""Clause 7.3: who supplies data answers for them, so it is known who did."""

from datetime import UTC, datetime

import pytest

from tests.harness.contacts import new_phone
from tests.policy.person import DATA, Person, is_refused, with_own_contact
from tests.policy.records import Records
from tests.policy.site import Site

_SUPPLIED = "SELECT field, supplier, store_time FROM data WHERE subject_id=:p"


@pytest.mark.parametrize("supplier", ["SUBJECT", "REPRESENTATIVE", "STOREFRONT_IMPORT"])
def test_every_datum_keeps_who_supplied_it_and_when(
    site: Site, records: Records, supplier: str
) -> None:
    """T-7.3-a"""
    person, start = site.person(), datetime.now(UTC)
    person.placed(with_own_contact(DATA), supplier=supplier)
    rows = records.rows("vault", _SUPPLIED, p=person.subject_id)
    assert {row.field for row in rows} == set(DATA)
    for row in rows:
        assert row.supplier == supplier
        assert start <= row.store_time <= datetime.now(UTC)


def test_what_nobody_says_more_about_the_person_has_supplied(
    person: Person, records: Records
) -> None:
    """T-7.3-a"""
    rows = records.rows("vault", _SUPPLIED, p=person.subject_id)
    assert {row.supplier for row in rows} == {"SUBJECT"}


def test_a_correction_is_told_apart_from_what_the_person_supplied(
    person: Person, records: Records
) -> None:
    """T-7.3-a"""
    claim_id = person.claimed()["claimId"]
    person.concluded(claim_id, "INACCURATE_CONFIRMED", correction={"phone": new_phone()})
    found = {r.field: r.supplier for r in records.rows("vault", _SUPPLIED, p=person.subject_id)}
    assert found == {**dict.fromkeys(DATA, "SUBJECT"), "phone": "VERIFICATION"}
    sql = "SELECT supplier FROM data_history WHERE subject_id=:p AND field='phone'"
    [former] = records.rows("vault", sql, p=person.subject_id)
    assert former.supplier == "SUBJECT"


@pytest.mark.parametrize("who", ["auditor", "claimsOfficer"])
def test_who_supplied_what_when_and_through_which_form_is_told(person: Person, who: str) -> None:
    """T-7.3-a, T-3.2-b"""
    start = datetime.now(UTC)
    person.placed({"phone": new_phone()}, form="profile", supplier="REPRESENTATIVE")
    newest = person.versions(who)[0]
    named = (newest["field"], newest["supplier"], newest["form"])
    assert named == ("phone", "REPRESENTATIVE", "profile")
    assert start <= datetime.fromisoformat(newest["storeTime"]) <= datetime.now(UTC)


@pytest.mark.parametrize("supplier", ["VERIFICATION", "NOBODY"])
def test_nobody_supplies_data_in_the_name_of_a_verification(person: Person, supplier: str) -> None:
    """T-7.3-a"""
    assert is_refused(person.place({"givenName": "А"}, supplier=supplier), 400, "INVALID_ARGUMENT")
    items = [{"subjectId": person.subject_id, "data": {"givenName": "А"}}]
    body = {"items": items, "supplier": supplier}
    asked = person.site.ask("storefront", "POST", "/v1/data:batchStore", body)
    assert is_refused(asked, 400, "INVALID_ARGUMENT")
    assert asked.fields == ("supplier",)
