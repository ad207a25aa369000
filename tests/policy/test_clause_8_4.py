# SPDX-License-Identifier: Apache-2.0
"""Clause 8.4: where statute and policy both set a term, the shorter one runs."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tests.policy.person import Person

ALMATY = timezone(timedelta(hours=5))
TERMS = {
    "CONSUMER": 10,
    "INACCURATE_DATA": 30,
    "UNLAWFUL_ACTS": 30,
    "WITHDRAWAL": 30,
    "OTHER": 30,
}
# The longest row of days off in the calendar, with room.
MOST_DAYS_OFF = 10


@pytest.mark.parametrize("kind", TERMS)
def test_a_claim_is_due_by_the_earlier_of_the_two_terms(person: Person, kind: str) -> None:
    """T-8.4-a"""
    claim = person.claimed(kind)
    received = datetime.fromisoformat(claim["receiptTime"]).astimezone(ALMATY).date()
    last = received + timedelta(days=TERMS[kind])
    due = date.fromisoformat(claim["dueDate"])
    assert last <= due <= last + timedelta(days=MOST_DAYS_OFF)


def test_a_consumers_claim_is_due_before_any_other_of_the_same_moment(person: Person) -> None:
    """T-8.4-a"""
    receipt = datetime.now(UTC) - timedelta(days=3)
    claims = [
        person.claim(kind, who="claimsOfficer", receipt=receipt).json["claim"] for kind in TERMS
    ]
    first, *others = sorted(claims, key=lambda claim: str(claim["dueTime"]))
    assert first["kind"] == "CONSUMER"
    assert all(first["dueDate"] < other["dueDate"] for other in others)
