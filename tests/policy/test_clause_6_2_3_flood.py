# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3: a block is not a weapon; what a storefront floods is limited and recorded (T32)."""

from datetime import UTC, datetime

from services.claims.flooding import OPEN_PER_SUBJECT
from tests.policy.person import Person, is_refused
from tests.policy.records import Records


def test_claims_beyond_the_limit_are_recorded_and_left_to_an_officer(
    person: Person, records: Records
) -> None:
    """T-6.2.3-a: the block stands from the first one; no limit loses a claim."""
    before = datetime.now(UTC)
    stand = [person.claimed()["claimId"] for _ in range(OPEN_PER_SUBJECT)]
    for _ in range(3):
        refused = person.claim()
        assert is_refused(refused, 429, "CLAIM_LIMIT_REACHED", "6.2.3")
        assert [(hold["kind"], hold["id"]) for hold in refused.json["holds"]] == [
            ("CLAIM", claim_id) for claim_id in stand
        ]
    assert person.standing()["state"] == "BLOCKED"
    *filed, turned = records.entries("claims", person, "claim.filed")
    assert [entry["outcome"] for entry in filed] == ["DONE"] * OPEN_PER_SUBJECT
    assert turned["reason"] == "CLAIM_LIMIT_REACHED"
    moment = datetime.fromisoformat(turned["decidedOn"]["receiptTime"])
    assert before <= moment <= datetime.now(UTC)
    received = person.claim(who="claimsOfficer", receipt=moment)
    assert received.status == 200, received.content.decode()
    assert datetime.fromisoformat(received.json["claim"]["receiptTime"]) == moment
