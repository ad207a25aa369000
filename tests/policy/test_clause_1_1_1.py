# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.1: only named, authorised staff act for the site."""

from collections.abc import Mapping

import pytest

from cli.development_issuer import ISSUER
from services.chassis.ids import new_uuid
from tests.harness.suite import POLICY
from tests.policy.person import Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site, recipient

# What officers do: who records it, under which event, by which request.
ACTS: Mapping[str, tuple[str, str, str, object]] = {
    "publish a version": ("consent", "policy.published", "/v1/policies", POLICY),
    "register a recipient": (
        "disclosure",
        "recipient.registered",
        "/v1/recipients",
        {"recipient": recipient()},
    ),
    "activate a recipient": (
        "disclosure",
        "recipient.activated",
        "/v1/recipients/{recipient}:activate",
        {},
    ),
    "suspend a recipient": (
        "disclosure",
        "recipient.suspended",
        "/v1/recipients/{recipient}:suspend",
        {},
    ),
    "read for verification": (
        "vault",
        "data.read_for_verification",
        "/v1/claims/{claim}/data:read",
        {"subjectId": "{subject}"},
    ),
    "end a block": (
        "claims",
        "verification.concluded",
        "/v1/claims/{claim}:concludeVerification",
        {"outcome": "NOT_CONFIRMED", "evidence": "Сверено."},
    ),
    "answer a claim": (
        "claims",
        "answer.written",
        "/v1/claims/{claim}:answer",
        {
            "decision": "REJECTED",
            "text": "Отказано.",
            "dispatch": {"channel": "POST", "time": "2026-01-01T00:00:00Z", "proof": "KZ1"},
        },
    ),
}
UNAUTHORISED = ("storefront", "auditor", "keyCustodian")


@pytest.mark.parametrize("act", ACTS)
def test_an_operators_act_needs_the_right_role_and_a_try_without_it_is_recorded(
    own_site: Site, records: Records, act: str
) -> None:
    """T-1.1.1-a"""
    person = own_site.person({"phone": "+77011234567"})
    service, event, path, body = _request(ACTS[act], person, person.claimed()["claimId"])
    for who in UNAUTHORISED:
        assert is_refused(own_site.ask(who, "POST", path, body), 403, "PERMISSION_DENIED", "1.1.1")
    found = records.of_site(service, own_site.site_id, event)
    refused = [e for e in found if e["outcome"] == "REFUSED"]
    for who, entry in zip(UNAUTHORISED, refused, strict=True):
        assert f"{who}-{own_site.site_id}" in entry["principal"]
        assert entry["reason"] == "PERMISSION_DENIED"
    assert person.standing()["state"] == "BLOCKED"


def test_an_operators_act_needs_an_authenticated_person(site: Site) -> None:
    """T-1.1.1-a"""
    person = site.person()
    claim_id = person.claimed()["claimId"]
    for act in ACTS.values():
        _, _, path, body = _request(act, person, claim_id)
        assert is_refused(site.ask("", "POST", path, body), 401, "UNAUTHENTICATED", "1.1.1")
    assert person.standing()["state"] == "BLOCKED"


def test_a_token_that_nobody_vouches_for_ends_no_block_and_is_recorded(
    person: Person, records: Records
) -> None:
    """T-1.1.1-a"""
    claim_id = person.claimed()["claimId"]
    _, event, path, body = _request(ACTS["end a block"], person, claim_id)
    token = person.site.conversation.credentials["claimsOfficer"]["token"]
    header, payload, signature = token.split(".")
    forged = f"{header}.{payload}.{signature[::-1]}"
    asked = person.site.ask("", "POST", path, body, {"Authorization": f"Bearer {forged}"})
    assert is_refused(asked, 401, "UNAUTHENTICATED", "1.1.1")
    assert person.standing()["state"] == "BLOCKED"
    found = records.of_site("claims", "", event)
    # Other calls by nobody name no claim, and their entries have no refs.
    [entry] = [e for e in found if e.get("refs", {}).get("claim_id") == claim_id]
    assert (entry["outcome"], entry["reason"]) == ("REFUSED", "UNAUTHENTICATED")


def test_an_operators_act_names_the_person_who_did_it(own_site: Site, records: Records) -> None:
    """T-1.1.1-a"""
    person = own_site.person()
    claim_id = person.claimed()["claimId"]
    person.concluded(claim_id, "NOT_CONFIRMED")
    own_site.registered()
    done = [
        *records.of_site("claims", own_site.site_id, "verification.concluded"),
        *records.of_site("consent", own_site.site_id, "policy.published"),
        *records.of_site("disclosure", own_site.site_id, "recipient.registered"),
    ]
    assert [(e["outcome"], e["principal"]) for e in done] == [
        ("DONE", f"person/{ISSUER}#claimsOfficer-{own_site.site_id}"),
        ("DONE", f"person/{ISSUER}#privacyOfficer-{own_site.site_id}"),
        ("DONE", f"person/{ISSUER}#privacyOfficer-{own_site.site_id}"),
    ]


def _request(
    act: tuple[str, str, str, object], person: Person, claim_id: str
) -> tuple[str, str, str, object]:
    service, event, path, body = act
    path = path.replace("{claim}", claim_id).replace("{recipient}", new_uuid())
    if body == {"subjectId": "{subject}"}:
        body = {"subjectId": person.subject_id}
    return service, event, path, body
