# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3 for claims that are entered late, by representatives, or lifted by two officers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.conversation import Answered
from tests.policy.person import Person, is_refused
from tests.policy.records import Records


def step(
    person: Person, claim_id: str, name: str, who: str = "claimsOfficer", **more: Any
) -> Answered:
    """An officer's step of a claim."""
    body = {"reason": "Документы сверены.", **more}
    return person.site.ask(who, "POST", f"/v1/claims/{claim_id}:{name}", body)


def entered(person: Person, back: timedelta, **more: Any) -> dict[str, Any]:
    """A claim that an officer enters from paper."""
    receipt = datetime.now(UTC) - back
    answered = person.claim(who="claimsOfficer", receipt=receipt, **more)
    assert answered.status == 200, answered.content.decode()
    claim: dict[str, Any] = answered.json["claim"]
    return claim


def test_a_claim_entered_late_tells_what_was_done_with_the_data_meanwhile(
    person: Person, records: Records
) -> None:
    """T-6.2.3-a"""
    person.data()
    assert person.read("NEWS").status == 403
    claim = entered(person, timedelta(hours=1))
    assert person.standing()["blockedSince"] == claim["receiptTime"]
    assert is_refused(person.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
    path = f"/v1/claims/{claim['claimId']}/interim"
    interim = person.site.good("claimsOfficer", "GET", path).json
    assert interim["sinceTime"] == claim["receiptTime"] < interim["untilTime"]
    told = [(act["event"], act["verb"], act.get("purpose", "")) for act in interim["acts"]]
    assert told == [("data.stored", "STORE", ""), ("data.read", "USE", "IDENTIFY_FOR_ORDER")]
    assert interim["total"] == 2
    text = person.site.ask("claimsOfficer", "GET", path).content.decode()
    assert not [value for value in person.own.values() if isinstance(value, str) and value in text]
    [entry] = records.entries("vault", person, "block.back_dated")
    assert entry["decidedOn"]["done"] == {"data.read": 1, "data.stored": 1}
    first = person.site.good("claimsOfficer", "GET", f"{path}?pageSize=1").json
    again = f"{path}?pageSize=1&pageToken={first['nextPageToken']}"
    second = person.site.good("claimsOfficer", "GET", again).json
    assert first["acts"] + second["acts"] == interim["acts"]


def test_a_claim_that_is_filed_at_once_has_no_time_before_it(person: Person) -> None:
    """T-6.2.3-a"""
    claim_id = person.claimed()["claimId"]
    interim = person.site.good("claimsOfficer", "GET", f"/v1/claims/{claim_id}/interim").json
    assert interim["acts"] == []
    assert "sinceTime" not in interim or interim["sinceTime"] is None


def test_far_back_the_claim_blocks_at_once_and_a_second_officer_confirms_the_receipt(
    person: Person,
) -> None:
    """T-6.2.3-a"""
    claim = entered(person, timedelta(days=20))
    assert claim["receiptAwaitsApproval"]
    assert person.standing()["state"] == "BLOCKED"
    claim_id = claim["claimId"]
    same = step(person, claim_id, "confirmReceiptTime")
    assert is_refused(same, 409, "AWAITING_SECOND_APPROVAL")
    confirmed = step(person, claim_id, "confirmReceiptTime", "secondClaimsOfficer")
    assert confirmed.status == 200
    assert confirmed.json["claim"]["dueDate"] == claim["dueDate"]
    assert not confirmed.json["claim"]["receiptAwaitsApproval"]


def test_an_earlier_receipt_reaches_further_back_in_block_and_list(person: Person) -> None:
    """T-6.2.3-a"""
    person.data()
    claim = entered(person, timedelta(microseconds=1))
    path = f"/v1/claims/{claim['claimId']}"
    before = person.site.good("claimsOfficer", "GET", f"{path}/interim").json
    assert before["acts"] == []
    receipt = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    corrected = step(person, claim["claimId"], "correctReceiptTime", receiptTime=receipt)
    assert (corrected.status, corrected.json["enforcement"]) == (200, "IN_FORCE")
    assert person.standing()["blockedSince"] == corrected.json["claim"]["receiptTime"]
    after = person.site.good("claimsOfficer", "GET", f"{path}/interim").json
    assert {act["event"] for act in after["acts"]} == {"data.stored", "data.read"}
    assert after["untilTime"] == before["untilTime"]


def test_a_representative_without_authority_loses_the_block_in_writing_and_no_other_block(
    person: Person,
) -> None:
    """T-6.2.3-d"""
    claim = person.claimed(claimant="REPRESENTATIVE", who="claimsOfficer")
    assert claim["authorityState"] == "UNSETTLED"
    assert person.standing()["state"] == "BLOCKED"
    claim_id = claim["claimId"]
    silent = step(person, claim_id, "settleAuthority", decision="REJECTED")
    assert is_refused(silent, 400, "INVALID_ARGUMENT")
    assert person.standing()["state"] == "BLOCKED"
    dispatch = {"channel": "POST", "time": datetime.now(UTC).isoformat(), "proof": "RR1"}
    notice = {"text": "Доверенность без даты недействительна.", "dispatch": dispatch}
    told = step(person, claim_id, "settleAuthority", decision="REJECTED", notice=notice)
    assert (told.status, told.json["enforcement"]) == (200, "IN_FORCE")
    assert person.standing()["state"] == "ACTIVE"


def test_a_block_ends_early_by_two_officers_and_by_no_one_alone(person: Person) -> None:
    """T-6.2.3-c"""
    claim_id = person.claimed()["claimId"]
    assert step(person, claim_id, "proposeLift").status == 200
    assert is_refused(step(person, claim_id, "approveLift"), 409, "AWAITING_SECOND_APPROVAL")
    assert person.standing()["state"] == "BLOCKED"
    lifted = step(person, claim_id, "approveLift", "secondClaimsOfficer")
    assert (lifted.status, lifted.json["claim"]["released"]) == (200, True)
    assert person.standing()["state"] == "ACTIVE"
    # The verification goes on: its outcome restricts all the same.
    person.concluded(claim_id, "UNLAWFUL_CONFIRMED")
    assert person.standing()["state"] == "RESTRICTED"
