# SPDX-License-Identifier: Apache-2.0
"""Clause 8.1: before court comes a claim, and a claim is a written thing."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.policy.person import Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.test_clause_8_2 import answer

TEXTS = {"statement": "Номер телефона чужой.", "demand": "Исправить номер телефона."}


def test_a_claim_has_claimant_matter_demand_number_and_time_of_receipt(
    person: Person, records: Records
) -> None:
    """T-8.1-a"""
    before = datetime.now(UTC)
    claim = person.claim(**dict[str, Any](TEXTS)).json["claim"]
    assert (claim["claimant"], claim["kind"]) == ("SUBJECT", "INACCURATE_DATA")
    assert claim["subjectIds"] == [person.subject_id]
    assert re.fullmatch(r"\d{4}-\d{6}", claim["number"])
    assert before <= datetime.fromisoformat(claim["receiptTime"]) <= datetime.now(UTC)
    sql = "SELECT kind FROM documents WHERE bound_to=:c"
    kinds = {row.kind for row in records.rows("vault", sql, c=claim["claimId"])}
    assert kinds == {"STATEMENT", "DEMAND"}
    [entry] = records.entries("claims", person, "claim.filed")
    assert entry["principal"] == f"key/storefront-{person.site.site_id}"
    assert set(entry["digests"]) == {"statement", "demand"}


@pytest.mark.parametrize("missing", ["statement", "demand", "kind", "claimant", "language"])
def test_a_claim_without_one_of_its_parts_is_none(own_site: Site, missing: str) -> None:
    """T-8.1-a"""
    person = own_site.person()
    for nothing in (None, ""):
        refused = person.claim(**dict[str, Any](TEXTS) | {missing: nothing})
        assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
        assert refused.fields == (f"claim.{missing}",)
    assert own_site.good("claimsOfficer", "GET", "/v1/claims").json.get("claims", []) == []
    assert person.standing()["state"] == "ACTIVE"


def test_a_claim_says_something(person: Person) -> None:
    """T-8.1-a"""
    for name in TEXTS:
        refused = person.claim(**dict[str, Any](TEXTS) | {name: " \u00a0\t"})
        assert (refused.status, refused.fields) == (400, (f"claim.{name}",))


def test_a_claim_comes_from_somebody_authenticated(person: Person) -> None:
    """T-8.1-a"""
    assert is_refused(person.claim(who=""), 401, "UNAUTHENTICATED", "1.1.1")
    for who in ("auditor", "privacyOfficer"):
        assert is_refused(person.claim(who=who), 403, "PERMISSION_DENIED", "1.1.1")
    assert person.standing()["state"] == "ACTIVE"


@pytest.mark.parametrize("claimant", ["REPRESENTATIVE", "AUTHORISED_BODY", "SITE"])
def test_a_storefront_files_for_the_person_and_for_nobody_else(
    person: Person, records: Records, claimant: str
) -> None:
    """T-8.1-a"""
    refused = person.claim(claimant=claimant)
    assert is_refused(refused, 403, "NOT_ENTITLED_TO_FILE", "8.1")
    found = records.of_site("claims", person.site.site_id, "claim.filed")
    assert found[-1]["reason"] == "NOT_ENTITLED_TO_FILE"


def test_the_numbers_of_claims_leave_no_gaps(own_site: Site) -> None:
    """T-8.1-a"""
    person = own_site.person()
    numbers = []
    for attempt in range(6):
        if attempt % 2:
            assert person.claim(statement="").status == 400
        else:
            numbers.append(person.claimed("OTHER")["number"])
    assert [int(number.partition("-")[2]) for number in numbers] == [1, 2, 3]


def test_a_repeated_request_makes_no_second_claim(own_site: Site) -> None:
    """T-8.1-a"""
    person = own_site.person()
    claim = {
        "subjectIds": [person.subject_id],
        "kind": "OTHER",
        "claimant": "SUBJECT",
        "language": "kk",
        **TEXTS,
    }
    headers = {"Idempotency-Key": "claim-1"}
    answers = [
        own_site.ask("storefront", "POST", "/v1/claims", {"claim": claim}, headers).json["claim"]
        for _ in range(2)
    ]
    assert answers[0]["number"] == answers[1]["number"]
    assert len(own_site.good("claimsOfficer", "GET", "/v1/claims").json["claims"]) == 1


def test_court_comes_only_after_an_answer_without_agreement(person: Person) -> None:
    """T-8.1-b"""
    path = f"/v1/claims/{person.claimed('OTHER')['claimId']}"
    early = person.site.ask("claimsOfficer", "POST", f"{path}:referToCourt", {"case": "СМЭС"})
    assert (early.status, early.code) == (409, "COURT_BEFORE_CLAIM")
    person.site.good("claimsOfficer", "POST", f"{path}:answer", answer())
    court = {"case": "СМЭС г. Алматы"}
    referred = person.site.good("claimsOfficer", "POST", f"{path}:referToCourt", court)
    assert referred.json["claim"]["state"] == "COURT"
