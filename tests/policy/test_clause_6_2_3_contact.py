# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3: subject is not person. Who has a blocked person's contact is blocked with them."""

from typing import Any

import pytest

from tests.harness.waiting import awaited
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.records import Records


def twin_of(person: Person, *contact: str) -> Person:
    """Another subject of the person, with the contact named."""
    twin = person.site.person()
    twin.placed({"givenName": "Гость", **{name: person.own[name] for name in contact}})
    return twin


def shared_with(person: Person, claim_id: str) -> dict[str, str]:
    """The state of every subject that is blocked with the claim's, by id, once the book has it."""
    claim = person.site.good("claimsOfficer", "GET", f"/v1/claims/{claim_id}").json["claim"]
    return {each["subjectId"]: each["state"] for each in claim["sameContacts"]}


def until_shared(person: Person, claim_id: str, *people: Person) -> dict[str, str]:
    """The same, once all of these are in it."""

    def all_in() -> dict[str, str] | None:
        found = shared_with(person, claim_id)
        return found if {each.subject_id for each in people} <= found.keys() else None

    return awaited(all_in, "the claims service did not hear of it")


def settled(person: Person, claim_id: str, subject: Person, decision: str) -> dict[str, Any]:
    """An officer's word on a subject with the same contact."""
    body = {"subjectId": subject.subject_id, "decision": decision, "reason": "Документы сверены."}
    path = f"/v1/claims/{claim_id}:settleSameContact"
    return person.site.good("claimsOfficer", "POST", path, body).json


@pytest.mark.parametrize("contact", ["phone", "email"])
def test_who_has_the_contact_is_blocked_when_the_intake_answers_and_the_officer_is_told(
    person: Person, contact: str
) -> None:
    """T-6.2.3-a"""
    guest, stranger = twin_of(person, contact), person.site.person(DATA)
    delivery_id = guest.assigned()
    claim_id = person.claimed()["claimId"]
    assert is_refused(guest.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert is_refused(guest.place({"givenName": "Дана"}), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert is_refused(release(person.site, delivery_id), 404, "NOT_AVAILABLE")
    assert stranger.read("IDENTIFY_FOR_ORDER").status == 200
    assert until_shared(person, claim_id, guest) == {guest.subject_id: "PROVISIONAL"}
    claim = person.site.good("storefront", "GET", f"/v1/claims/{claim_id}").json["claim"]
    assert (claim["subjectIds"], claim["sameContacts"]) == ([person.subject_id], [])


def test_who_is_given_the_contact_later_is_blocked_too_and_what_was_placed_is_kept(
    person: Person,
) -> None:
    """T-6.2.3-a"""
    claim_id = person.claimed()["claimId"]
    guest = twin_of(person, "phone")
    assert is_refused(guest.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
    until_shared(person, claim_id, guest)
    settled(person, claim_id, guest, "RELEASED")
    assert guest.data() == {"givenName": "Гость", "phone": person.own["phone"]}


def test_a_release_ends_the_one_provisional_block_and_no_other(
    person: Person, records: Records
) -> None:
    """T-6.2.3-c"""
    guest, other = twin_of(person, "phone"), twin_of(person, "email")
    first, second = (person.claimed(kind)["claimId"] for kind in ("INACCURATE_DATA",) * 2)
    until_shared(person, first, guest, other)
    until_shared(person, second, guest, other)
    answer = settled(person, first, guest, "RELEASED")
    assert answer["enforcement"] == "IN_FORCE"
    assert (guest.standing()["state"], guest.standing()["openBlocks"]) == ("BLOCKED", 1)
    assert other.standing()["openBlocks"] == person.standing()["openBlocks"] == 2
    settled(person, second, guest, "RELEASED")
    assert guest.standing()["state"] == "ACTIVE"
    path = f"/v1/claims/{first}:settleSameContact"
    again = {"subjectId": guest.subject_id, "decision": "CONFIRMED", "reason": "Передумал."}
    asked = person.site.ask("claimsOfficer", "POST", path, again)
    assert is_refused(asked, 409, "STATE_CONFLICT")
    entries = records.entries("claims", guest, "same_contact.settled")
    told = [(e["outcome"], e["refs"]["claim_id"]) for e in entries]
    assert told == [("DONE", first), ("DONE", second), ("REFUSED", first)]


def test_who_is_confirmed_is_named_in_the_claim_and_shares_its_outcome(person: Person) -> None:
    """T-6.2.3-e"""
    guest = twin_of(person, "phone")
    claim_id = person.claimed("UNLAWFUL_ACTS")["claimId"]
    until_shared(person, claim_id, guest)
    path, body = f"/v1/claims/{claim_id}/data:read", {"subjectId": guest.subject_id}
    # To settle it the officer may look: for this claim, and recorded.
    assert person.site.good("claimsOfficer", "POST", path, body).json["data"]["givenName"]
    named = settled(person, claim_id, guest, "CONFIRMED")["claim"]
    assert named["subjectIds"] == [person.subject_id, guest.subject_id]
    person.concluded(claim_id, "UNLAWFUL_CONFIRMED")
    assert guest.standing()["state"] == person.standing()["state"] == "RESTRICTED"
    tasks = person.site.good("claimsOfficer", "GET", "/v1/tasks?kind=DESTROY&pageSize=1000").json
    due = {t["subjectId"] for t in tasks["tasks"] if t["claimId"] == claim_id}
    assert due == {guest.subject_id, person.subject_id}


def test_the_outcome_of_a_claim_leaves_who_is_only_provisionally_blocked_to_the_officer(
    person: Person,
) -> None:
    """T-6.2.3-c"""
    guest = twin_of(person, "phone")
    claim_id = person.claimed()["claimId"]
    until_shared(person, claim_id, guest)
    person.concluded(claim_id, "NOT_CONFIRMED")
    assert (person.standing()["state"], guest.standing()["state"]) == ("ACTIVE", "BLOCKED")
    # Confirmed afterwards, the same person shares the outcome that there is.
    settled(person, claim_id, guest, "CONFIRMED")
    assert guest.standing()["state"] == "ACTIVE"


def test_who_was_not_verified_is_not_confirmed_into_a_correction(person: Person) -> None:
    """T-6.2.3-e"""
    guest = twin_of(person, "phone")
    claim_id = person.claimed()["claimId"]
    until_shared(person, claim_id, guest)
    person.concluded(claim_id, "INACCURATE_CONFIRMED", correction={"givenName": "Айгерім"})
    path = f"/v1/claims/{claim_id}:settleSameContact"
    body = {"subjectId": guest.subject_id, "decision": "CONFIRMED", "reason": "Тот же."}
    assert is_refused(person.site.ask("claimsOfficer", "POST", path, body), 409, "STATE_CONFLICT")
    assert guest.standing()["state"] == "BLOCKED"


def test_a_correction_to_the_contact_of_a_blocked_person_blocks(person: Person) -> None:
    """T-6.2.3-a"""
    other = person.site.person(DATA)
    other.claimed()
    claim_id = person.claimed()["claimId"]
    person.concluded(claim_id, "INACCURATE_CONFIRMED", correction={"phone": other.own["phone"]})
    standing = person.standing()
    assert (standing["state"], standing["dataVersion"]) == ("BLOCKED", 2)


def test_a_subject_to_settle_is_due_the_next_working_day_and_ends_with_the_officers_word(
    person: Person,
) -> None:
    """T-6.2.3-e"""
    guest = twin_of(person, "phone")
    claim_id = person.claimed()["claimId"]
    until_shared(person, claim_id, guest)

    def tasks(more: str = "") -> list[dict[str, Any]]:
        path = f"/v1/tasks?kind=SETTLE_SAME_CONTACT&pageSize=1000{more}"
        listed = person.site.good("claimsOfficer", "GET", path).json["tasks"]
        return [task for task in listed if task["claimId"] == claim_id]

    [task] = tasks()
    assert task["subjectId"] == guest.subject_id
    assert task["dueDate"] > task["createTime"][:10]
    settled(person, claim_id, guest, "RELEASED")
    assert tasks() == []
    [done] = tasks("&includeDone=true")
    assert done["doneTime"]
