# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.5: confirming that data are accurate and complete."""

import pytest

from cli.conversation import Answered
from tests.policy.person import Person, is_refused
from tests.policy.records import Records


def _verify(person: Person, claim_id: str, who: str) -> Answered:
    path = f"/v1/claims/{claim_id}/data:read"
    return person.site.ask(who, "POST", path, {"subjectId": person.subject_id})


def test_a_storefront_cannot_read_to_verify(person: Person, records: Records) -> None:
    """T-4.1.5-a"""
    asked = person.read("VERIFY_DATA", reference=person.claimed()["claimId"])
    assert is_refused(asked, 403, "PERMISSION_DENIED", "4.1.5")
    assert records.refusals("vault", person, "data.read") == [("PERMISSION_DENIED", "4.1.5")]


@pytest.mark.parametrize("who", ["storefront", "privacyOfficer", "auditor", "keyCustodian"])
def test_nobody_but_a_claims_officer_reads_to_verify(person: Person, who: str) -> None:
    """T-4.1.5-a"""
    asked = _verify(person, person.claimed()["claimId"], who)
    assert is_refused(asked, 403, "PERMISSION_DENIED", "1.1.1")


def test_a_named_officer_reads_what_the_claim_is_about(person: Person, records: Records) -> None:
    """T-4.1.5-a"""
    claim_id = person.claimed()["claimId"]
    read = _verify(person, claim_id, "claimsOfficer")
    assert read.json["data"] == person.own
    [entry] = records.entries("vault", person, "data.read_for_verification")
    assert (entry["outcome"], entry["refs"]["claim_id"]) == ("PERMITTED", claim_id)
    assert f"claimsOfficer-{person.site.site_id}" in entry["principal"]


def test_a_verification_is_an_event_and_edits_nothing(person: Person, records: Records) -> None:
    """T-4.1.5-a"""
    claim_id = person.claimed()["claimId"]
    _verify(person, claim_id, "claimsOfficer")
    sql = "SELECT field, version, ciphertext FROM data WHERE subject_id=:p ORDER BY field"
    before = records.rows("vault", sql, p=person.subject_id)
    concluded = person.concluded(claim_id, "NOT_CONFIRMED")
    assert concluded["claim"]["outcome"] == "NOT_CONFIRMED"
    assert records.rows("vault", sql, p=person.subject_id) == before
    assert person.standing()["dataVersion"] == 1
    [entry] = records.entries("claims", person, "verification.concluded")
    assert entry["decidedOn"]["outcome"] == "NOT_CONFIRMED"
