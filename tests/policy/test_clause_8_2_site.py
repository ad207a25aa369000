# SPDX-License-Identifier: Apache-2.0
"""Clause 8.2, the site as claimant: proven receipt starts the term, and only the user answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.policy.person import Person, is_refused
from tests.policy.test_clause_8_2 import answer, due_date


def _site_claim(person: Person) -> dict[str, Any]:
    filed = person.claim("OTHER", "SITE", "claimsOfficer")
    assert filed.status == 200, filed.content.decode()
    claim: dict[str, Any] = filed.json["claim"]
    return claim


def _step(person: Person, claim: dict[str, Any], what: str, body: object, who: str) -> Any:
    return person.site.ask(who, "POST", f"/v1/claims/{claim['claimId']}:{what}", body)


def _received(person: Person, claim: dict[str, Any]) -> dict[str, Any]:
    body = {"receiptTime": datetime.now(UTC).isoformat(), "proof": "Уведомление о вручении № 7"}
    found: dict[str, Any] = _step(person, claim, "recordReceipt", body, "claimsOfficer").json
    return dict(found["claim"])


def test_no_term_runs_before_the_user_has_the_claim(person: Person) -> None:
    """T-8.1-a, T-8.2-a"""
    claim = _site_claim(person)
    assert (claim["recipient"], claim["state"]) == ("USER", "AWAITING_RECEIPT")
    assert not claim.get("dueDate")
    assert person.standing()["state"] == "ACTIVE"
    early = {"receiptTime": (datetime.now(UTC) - timedelta(days=1)).isoformat(), "proof": "?"}
    refused = _step(person, claim, "recordReceipt", early, "claimsOfficer")
    assert (refused.status, refused.fields) == (400, ("receiptTime",))
    blank = {"receiptTime": datetime.now(UTC).isoformat(), "proof": " "}
    assert _step(person, claim, "recordReceipt", blank, "claimsOfficer").fields == ("proof",)
    received = _received(person, claim)
    assert received["state"] == "RECEIVED"
    at = datetime.fromisoformat(received["receiptTime"])
    assert received["dueDate"] == due_date(at).isoformat()
    own = person.claim("OTHER").json["claim"]
    assert own["recipient"] == "SITE_ADMINISTRATION"
    again = {"receiptTime": datetime.now(UTC).isoformat(), "proof": "Второе"}
    assert is_refused(
        _step(person, claim, "recordReceipt", again, "claimsOfficer"), 409, "STATE_CONFLICT"
    )


def test_only_the_user_answers_the_sites_claim(person: Person) -> None:
    """T-8.2-d"""
    claim = _site_claim(person)
    words = {"decision": "REJECTED", "text": "Не согласен."}
    too_early = _step(person, claim, "recordUserAnswer", words, "storefront")
    assert is_refused(too_early, 409, "STATE_CONFLICT")
    _received(person, claim)
    officers = _step(person, claim, "answer", answer(), "claimsOfficer")
    assert is_refused(officers, 409, "STATE_CONFLICT")
    without = _step(person, claim, "recordUserAnswer", words, "claimsOfficer")
    assert (without.status, without.fields) == (400, ("dispatch",))
    answered = _step(person, claim, "recordUserAnswer", words, "storefront").json["claim"]
    assert (answered["state"], answered["decision"]) == ("ANSWERED", "REJECTED")


@pytest.mark.parametrize("kind", ["OTHER", "CONSUMER"])
def test_a_claim_against_the_site_is_not_answered_by_its_user(person: Person, kind: str) -> None:
    """T-8.2-d"""
    claim = person.claimed(kind)
    words = {"decision": "SATISFIED", "text": "Согласен."}
    refused = _step(person, claim, "recordUserAnswer", words, "storefront")
    assert is_refused(refused, 409, "STATE_CONFLICT")
