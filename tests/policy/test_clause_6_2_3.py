# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3: a complaint blocks the person's data, from the appeal until it is verified."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from cli.conversation import Answered
from tests.harness.contacts import new_phone
from tests.policy.person import DATA, EXPRESS, Person, is_refused, release
from tests.policy.records import Records

GROUNDS = ("INACCURATE_DATA", "UNLAWFUL_ACTS")
PURPOSES = (
    *("IDENTIFY_FOR_ORDER", "PERSONAL_RESOURCES", "FEEDBACK", "SECURITY_LOCATION", "ORDER_STATUS"),
    *("PAYMENT", "SUPPORT"),
    *EXPRESS,
)


@pytest.fixture
def active(person: Person) -> tuple[Person, str, str]:
    """Somebody whose data serve every purpose; with an open order and its delivery."""
    for purpose in EXPRESS:
        assert person.grant(purpose).status == 200
    order_id = person.ordered()
    return person, order_id, person.assigned("courier", order_id)


@pytest.mark.parametrize("kind", GROUNDS)
def test_the_block_is_in_force_when_the_intake_answers_and_reaches_back_to_the_appeal(
    person: Person, kind: str
) -> None:
    """T-6.2.3-a"""
    before = datetime.now(UTC)
    filed = person.claim(kind)
    assert (filed.status, filed.json["enforcement"]) == (200, "IN_FORCE")
    receipt = filed.json["claim"]["receiptTime"]
    assert before <= datetime.fromisoformat(receipt) <= datetime.now(UTC)
    standing = person.standing()
    assert (standing["state"], standing["blockedSince"]) == ("BLOCKED", receipt)


@pytest.mark.parametrize("kind", GROUNDS)
def test_under_a_block_no_purpose_reads(active: tuple[Person, str, str], kind: str) -> None:
    """T-6.2.3-a"""
    person, order_id, _ = active
    references = dict.fromkeys(PURPOSES, order_id) | {"FEEDBACK": person.site.template()}
    for purpose, reference in references.items():
        assert person.read(purpose, reference=reference).status == 200, purpose
    person.claimed(kind)
    for purpose, reference in references.items():
        asked = person.read(purpose, reference=reference)
        assert is_refused(asked, 409, "SUBJECT_BLOCKED", "6.2.3"), purpose
    item = {"subjectId": person.subject_id, "purpose": "IDENTIFY_FOR_ORDER"}
    batch = person.site.good("storefront", "POST", "/v1/data:batchRead", {"items": [item]}).json
    assert batch["outcomes"] == [{"problem": {"code": "SUBJECT_BLOCKED", "clause": "6.2.3"}}]


@pytest.mark.parametrize("kind", GROUNDS)
def test_under_a_block_nothing_is_collected_changed_ordered_or_released(
    active: tuple[Person, str, str], records: Records, kind: str
) -> None:
    """T-6.2.3-a"""
    person, _, delivery_id = active
    person.claimed(kind)
    for asked in (
        person.place({"phone": new_phone()}),
        person.place({"address": {"flat": "6"}}),
        person.grant("NEWS"),
        person.order(),
    ):
        assert is_refused(asked, 409, "SUBJECT_BLOCKED", "6.2.3")
    assert is_refused(release(person.site, delivery_id), 404, "NOT_AVAILABLE")
    assert records.refusals("disclosure", person, "delivery.released") == [
        ("SUBJECT_BLOCKED", "6.2.3")
    ]
    assert set(records.refusals("vault", person, "data.stored")) == {("SUBJECT_BLOCKED", "6.2.3")}
    assert person.standing()["dataVersion"] == 1


def test_under_a_block_the_verifier_reads_for_this_claim_and_is_recorded(
    person: Person, records: Records
) -> None:
    """T-6.2.3-a"""
    claim_id = person.claimed()["claimId"]
    assert _verifiers_read(person, claim_id).json["data"] == person.own
    other = person.site.person(DATA).claimed()["claimId"]
    assert is_refused(_verifiers_read(person, other), 404, "NOT_FOUND")
    person.concluded(claim_id, "NOT_CONFIRMED")
    assert is_refused(_verifiers_read(person, claim_id), 404, "NOT_FOUND")
    entries = records.entries("vault", person, "data.read_for_verification")
    assert [e["outcome"] for e in entries] == ["PERMITTED", "REFUSED", "REFUSED"]


def test_two_blocks_are_two_and_the_end_of_one_is_not_the_end_of_the_other(
    person: Person,
) -> None:
    """T-6.2.3-c"""
    first = person.claimed("INACCURATE_DATA")
    second = person.claimed("UNLAWFUL_ACTS")
    assert person.standing()["openBlocks"] == 2
    person.concluded(first["claimId"], "NOT_CONFIRMED")
    standing = person.standing()
    assert (standing["state"], standing["openBlocks"]) == ("BLOCKED", 1)
    assert standing["blockedSince"] == second["receiptTime"]
    assert is_refused(person.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
    person.concluded(second["claimId"], "NOT_CONFIRMED")
    assert person.standing()["state"] == "ACTIVE"
    assert person.read("IDENTIFY_FOR_ORDER").status == 200


@pytest.mark.parametrize(
    ("kind", "claimant", "who"),
    [
        ("CONSUMER", "SUBJECT", "storefront"),
        ("WITHDRAWAL", "SUBJECT", "storefront"),
        ("OTHER", "SUBJECT", "storefront"),
        ("OTHER", "REPRESENTATIVE", "claimsOfficer"),
        ("INACCURATE_DATA", "SITE", "claimsOfficer"),
        ("UNLAWFUL_ACTS", "SITE", "claimsOfficer"),
    ],
)
def test_a_claim_of_another_kind_or_of_the_site_blocks_nothing(
    person: Person, kind: str, claimant: str, who: str
) -> None:
    """T-6.2.3-d"""
    assert not person.claimed(kind, claimant, who)["blocks"]
    standing = person.standing()
    assert (standing["state"], standing["openBlocks"]) == ("ACTIVE", 0)
    assert person.read("IDENTIFY_FOR_ORDER").status == 200


@pytest.mark.parametrize("claimant", ["SUBJECT", "REPRESENTATIVE", "AUTHORISED_BODY"])
@pytest.mark.parametrize("kind", GROUNDS)
def test_those_whom_the_clause_names_block(person: Person, kind: str, claimant: str) -> None:
    """T-6.2.3-d"""
    assert person.claimed(kind, claimant, "claimsOfficer")["blocks"]
    assert person.standing()["state"] == "BLOCKED"


def test_what_was_not_confirmed_lifts_the_block_and_changes_nothing(person: Person) -> None:
    """T-6.2.3-e"""
    concluded = person.concluded(person.claimed()["claimId"], "NOT_CONFIRMED")
    assert concluded["enforcement"] == "IN_FORCE"
    assert person.standing()["state"] == "ACTIVE"
    assert person.data()["phone"] == person.own["phone"]


def test_what_was_inaccurate_is_corrected_and_unblocked_in_one_step(person: Person) -> None:
    """T-6.2.3-e"""
    new = new_phone()
    claim_id = person.claimed()["claimId"]
    with _watching(person) as seen:
        concluded = person.concluded(claim_id, "INACCURATE_CONFIRMED", correction={"phone": new})
    assert (concluded["enforcement"], concluded["version"]) == ("IN_FORCE", 2)
    assert person.data()["phone"] == new
    # Nobody saw the block gone and the correction not there, or the other way round.
    assert set(seen) <= {("BLOCKED", 1), ("ACTIVE", 2)}
    assert ("BLOCKED", 1) in seen


def test_a_correction_waits_while_another_block_is_open(person: Person) -> None:
    """T-6.2.3-e"""
    new = new_phone()
    first, second = (person.claimed(kind)["claimId"] for kind in GROUNDS)
    person.concluded(first, "INACCURATE_CONFIRMED", correction={"phone": new})
    assert person.standing()["state"] == "BLOCKED"
    person.concluded(second, "NOT_CONFIRMED")
    assert person.standing()["state"] == "ACTIVE"
    assert person.data()["phone"] == new


def test_what_was_unlawful_never_opens_again(person: Person) -> None:
    """T-6.2.3-e"""
    delivery_id = person.assigned()
    person.concluded(person.claimed("UNLAWFUL_ACTS")["claimId"], "UNLAWFUL_CONFIRMED")
    assert person.standing()["state"] == "RESTRICTED"
    for asked in (
        person.read("IDENTIFY_FOR_ORDER"),
        person.place({"phone": new_phone()}),
        person.order(),
        person.accept(),
    ):
        assert is_refused(asked, 409, "SUBJECT_RESTRICTED", "6.2.3")
    assert is_refused(release(person.site, delivery_id), 404, "NOT_AVAILABLE")


def _verifiers_read(person: Person, claim_id: str) -> Answered:
    path = f"/v1/claims/{claim_id}/data:read"
    return person.site.ask("claimsOfficer", "POST", path, {"subjectId": person.subject_id})


@contextmanager
def _watching(person: Person) -> Iterator[list[tuple[str, int]]]:
    """State and version of the person's data, looked at again and again beside the test."""
    seen: list[tuple[str, int]] = []
    enough = threading.Event()

    def look() -> None:
        while not enough.is_set():
            standing = person.standing()
            seen.append((standing["state"], standing["dataVersion"]))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        while not seen:
            enough.wait(0.01)
        yield seen
    finally:
        enough.set()
        watcher.join()
