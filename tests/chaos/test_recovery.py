# SPDX-License-Identifier: Apache-2.0
"""A book of claims that was set back has its claims again: no block without an officer who can end
it (clause 6.2.3). One restore; everything that the book lost has a test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.chaos.backup import AnotherDatabase, without
from tests.chaos.books import check_with_fsck
from tests.harness.acts import granted
from tests.harness.suite import Suite
from tests.harness.waiting import awaited, wait_until
from tests.matrix.callers import second_claims_officer
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

_LATE = timedelta(days=60)
_ANSWER = {"decision": "REJECTED", "text": "Проверка ошибок не выявила."}
_TEXT = "Найдено по заявлению."


@dataclass
class Office:
    """A suite as its officers and storefront see it."""

    suite: Suite
    claims: dict[str, str] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)

    def person(self, name: str, data: Mapping[str, object] | None = None) -> str:
        """Somebody new, known by a name of this module."""
        self.subjects[name] = self.suite.new_subject(data or new_data())
        return self.subjects[name]

    def post(self, path: str, body: object) -> dict[str, Any]:
        """What is answered; it has to be done."""
        return granted(self.suite.as_("claimsOfficer").post(path, json=body))

    def approve_lift(self, name: str) -> None:
        """By another officer."""
        headers = second_claims_officer(self.suite).headers
        url = f"{self.suite.gateway}/v1/claims/{self.claims[name]}:approveLift"
        granted(httpx.post(url, json={"reason": "Ошибка."}, headers=headers, timeout=10))

    def file(self, name: str, *subjects: str, **more: object) -> None:
        """A claim that an officer enters, of these people."""
        claim = {
            "subjectIds": [self.subjects[each] for each in subjects or (name,)],
            "kind": "INACCURATE_DATA",
            "claimant": "SUBJECT",
            "statement": "Данные неверны.",
            "demand": "Исправить.",
            "language": "ru",
            **more,
        }
        filed = self.post("/v1/claims", {"claim": claim})
        self.claims[name] = filed["claim"]["claimId"]

    def step(self, name: str, act: str, body: object) -> dict[str, Any]:
        """A step of a claim."""
        return self.post(f"/v1/claims/{self.claims[name]}:{act}", body)

    def conclude(self, name: str, outcome: str, **more: object) -> dict[str, Any]:
        """The outcome of a verification."""
        body = {"outcome": outcome, "evidence": "Сверено.", **more}
        return self.step(name, "concludeVerification", body)

    def answer(self, name: str) -> dict[str, Any]:
        """An answer that left by post."""
        time = datetime.now(UTC).isoformat()
        dispatch = {"channel": "POST", "time": time, "proof": "RR1"}
        return self.step(name, "answer", {**_ANSWER, "dispatch": dispatch})

    def claim(self, name: str) -> dict[str, Any]:
        """A claim as officers see it; nothing where the book does not have it."""
        answer = self.suite.as_("claimsOfficer").get(f"/v1/claims/{self.claims[name]}")
        return answer.json()["claim"] if answer.status_code == 200 else {}

    def awaited(self, name: str, **wanted: object) -> dict[str, Any]:
        """The claim once the book has it so."""

        def found() -> dict[str, Any] | None:
            claim = self.claim(name)
            return claim if claim and all(claim.get(k) == v for k, v in wanted.items()) else None

        return awaited(found, lambda: f"{name}: {self.claim(name)}")

    def standing(self, name: str) -> str:
        """Where somebody is in their life, as the vault says once it serves."""
        path = f"/v1/subjects/{self.subjects[name]}/standing"

        def told() -> str | None:
            answer = self.suite.as_("storefront").get(path)
            if answer.status_code == 503:
                return None
            return str(granted(answer)["standing"]["state"])

        return awaited(told, "the vault does not serve")

    def tasks(self, kind: str) -> set[str]:
        """The ids of claims with an open task."""
        path = f"/v1/tasks?kind={kind}&pageSize=1000"
        found = granted(self.suite.as_("claimsOfficer").get(path)).get("tasks", [])
        return {task["claimId"] for task in found}


def _before(office: Office) -> None:
    """What the backup has."""
    shared, house = new_data(), new_data()
    office.person("house", house)
    office.person("guest", house)
    office.file("house")
    for name in ("lost", "late", "other", "represented", "shared", "sister"):
        office.person(name, shared if name == "shared" else new_data())
    office.person("twin", shared)
    office.person("known")
    office.file("earlier", "known", kind="OTHER")
    office.file("shared")
    for name in ("cleared", "corrected", "unlawful", "lifted"):
        office.person(name)
        office.file(name)
    for name in ("court", "agreed"):
        office.person(name)
        office.file(name, kind="CONSUMER")
    office.person("brother")
    office.file("family", "sister", "brother", kind="UNLAWFUL_ACTS")
    for name in ("shared", "house"):
        _await_contact(office, name, "PROVISIONAL")


def _after(office: Office) -> None:
    """What is acknowledged after it, and lost to the book."""
    long_ago = (datetime.now(UTC) - _LATE).isoformat()
    office.file("lost")
    office.file("late", receiptTime=long_ago)
    office.file("known")
    office.file("other", kind="OTHER")
    office.file("represented", claimant="REPRESENTATIVE")
    office.conclude("cleared", "NOT_CONFIRMED")
    office.conclude("corrected", "INACCURATE_CONFIRMED", correction={"givenName": "Ерлан"})
    office.conclude("unlawful", "UNLAWFUL_CONFIRMED")
    office.conclude("family", "NOT_CONFIRMED")
    office.step("lifted", "proposeLift", {"reason": "Ошибка."})
    office.approve_lift("lifted")
    office.answer("court")
    office.step("court", "referToCourt", {"case": "СМЭС г. Алматы"})
    office.answer("agreed")
    office.step("agreed", "recordAgreement", {"terms": "Мир."})
    body = {"subjectId": office.subjects["twin"], "decision": "CONFIRMED", "reason": "Тот же."}
    office.step("shared", "settleSameContact", body)
    body = {"subjectId": office.subjects["guest"], "decision": "RELEASED", "reason": "Другой."}
    office.step("house", "settleSameContact", body)


def _await_contact(office: Office, name: str, state: str) -> None:
    wait_until(
        lambda: [c["state"] for c in office.claim(name).get("sameContacts", [])] == [state],
        lambda: f"{name}: {office.claim(name)}",
    )


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """An office whose book of claims was set back, and whose records agree in the end."""
    with Suite() as suite:
        made = Office(suite)
        _before(made)
        backup = AnotherDatabase()
        with without(suite, "claims"):
            backup.take(suite, "claims")
        wait_until(suite.healthy, "the suite is not healthy")
        _after(made)
        with without(suite, "claims"):
            backup.restore(suite, "claims")
            # While the book is away, and before it is mended, the vault holds what it held.
            for name in ("lost", "known", "represented", "shared", "twin"):
                assert made.standing(name) == "BLOCKED"
        wait_until(suite.healthy, "the suite is not healthy")
        assert made.standing("lost") == "BLOCKED"
        yield made
        check_with_fsck(suite)


@pytest.mark.parametrize("name", ["lost", "known"])
def test_a_lost_claim_is_recovered_and_worked_to_its_end(office: Office, name: str) -> None:
    """Its block stands until the outcome, also where the book knew nothing of the person."""
    claim = office.awaited(name, recovered=True, enforcement="IN_FORCE")
    assert office.standing(name) == "BLOCKED"
    assert claim["subjectIds"] == [office.subjects[name]]
    assert (claim["kind"], claim["claimant"]) == ("INACCURATE_DATA", "SUBJECT")
    assert claim["blocks"]
    listed = granted(office.suite.as_("claimsOfficer").get("/v1/claims?pageSize=1000"))["claims"]
    assert [each["recovered"] for each in listed if each["claimId"] == claim["claimId"]] == [True]
    assert claim["claimId"] in office.tasks("RECOVERED_CLAIM")
    statement = awaited(lambda: _document(office, name, "STATEMENT"), "no document came back")
    path = f"/v1/claims/{claim['claimId']}/documents/{statement}"
    assert granted(office.suite.as_("claimsOfficer").get(path))["text"] == "Данные неверны."
    described = {"language": "ru", "text": _TEXT, "replyAddress": "Алматы, ул. Абая, 1"}
    assert office.step(name, "describeRecovered", described)["claim"]["language"] == "ru"
    assert claim["claimId"] not in office.tasks("RECOVERED_CLAIM")
    concluded = office.conclude(name, "NOT_CONFIRMED")
    assert (concluded["enforcement"], office.standing(name)) == ("IN_FORCE", "ACTIVE")
    assert office.answer(name)["claim"]["state"] == "ANSWERED"
    assert office.step(name, "close", {"reason": "Всё."})["claim"]["state"] == "CLOSED"
    assert "claim.recovered" in _timeline(office, name)


def test_a_lost_claims_term_runs_from_its_receipt(office: Office) -> None:
    claim = office.awaited("late", recovered=True)
    received = datetime.fromisoformat(claim["receiptTime"])
    assert datetime.now(UTC) - received > _LATE - timedelta(days=1)
    assert claim["dueDate"] < datetime.now(UTC).date().isoformat()
    path = f"/v1/claims/{claim['claimId']}/notices"

    def kinds() -> list[str]:
        notices = granted(office.suite.as_("claimsOfficer").get(path)).get("notices", [])
        return [notice["kind"] for notice in notices]

    wait_until(lambda: "NO_ANSWER" in kinds(), "nobody found that the term has passed")


def test_a_recovered_claim_that_blocks_nothing_is_due_by_the_shortest_term_until_described(
    office: Office,
) -> None:
    claim = office.awaited("other", recovered=True)
    assert (claim["kind"], claim["claimant"], claim["state"]) == ("OTHER", "SUBJECT", "RECEIVED")
    days = datetime.fromisoformat(claim["dueTime"]) - datetime.fromisoformat(claim["receiptTime"])
    assert days < timedelta(days=20)
    path, officer = f"/v1/claims/{claim['claimId']}", office.suite.as_("claimsOfficer")
    blocking = {"language": "ru", "text": _TEXT, "kind": "UNLAWFUL_ACTS"}
    refused = officer.post(f"{path}:describeRecovered", json=blocking)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "kind")
    told = {"language": "en", "text": _TEXT, "kind": "WITHDRAWAL", "claimant": "SUBJECT"}
    described = office.step("other", "describeRecovered", told)["claim"]
    assert (described["kind"], described["language"]) == ("WITHDRAWAL", "en")
    assert described["dueDate"] > claim["dueDate"]
    again = officer.post(f"{path}:describeRecovered", json=told)
    assert again.status_code == 409
    assert office.answer("other")["claim"]["state"] == "ANSWERED"


def test_a_recovered_claim_of_a_representative_waits_for_its_authority(office: Office) -> None:
    claim = office.awaited("represented", recovered=True)
    assert (claim["claimant"], claim["authorityState"]) == ("REPRESENTATIVE", "UNSETTLED")
    assert claim["claimId"] in office.tasks("SETTLE_AUTHORITY")


def test_a_lost_outcome_is_put_back_and_ends_the_block_as_it_did(office: Office) -> None:
    claim = office.awaited("cleared", outcome="NOT_CONFIRMED", state="VERIFIED")
    assert not claim["recovered"]
    assert office.standing("cleared") == "ACTIVE"
    assert "claim.mended" in _timeline(office, "cleared")
    awaited(lambda: _document(office, "cleared", "VERIFICATION_EVIDENCE"), "no document came back")
    assert office.answer("cleared")["claim"]["state"] == "ANSWERED"


def test_a_lost_outcome_is_that_of_all_whom_the_claim_names(office: Office) -> None:
    office.awaited("family", outcome="NOT_CONFIRMED", enforcement="IN_FORCE")
    assert (office.standing("sister"), office.standing("brother")) == ("ACTIVE", "ACTIVE")


def test_a_lost_correction_stays_the_outcomes(office: Office) -> None:
    office.awaited("corrected", outcome="INACCURATE_CONFIRMED", state="VERIFIED")
    subject = office.subjects["corrected"]
    body = {"purpose": "IDENTIFY_FOR_ORDER"}
    read = office.suite.as_("storefront").post(f"/v1/subjects/{subject}/data:read", json=body)
    assert granted(read)["data"]["givenName"] == "Ерлан"


def test_confirmed_unlawful_acts_still_end_in_destruction(office: Office) -> None:
    claim = office.awaited("unlawful", outcome="UNLAWFUL_CONFIRMED")
    assert office.standing("unlawful") == "RESTRICTED"
    assert claim["claimId"] in office.tasks("DESTROY")


def test_a_block_that_two_officers_lifted_stays_lifted(office: Office) -> None:
    claim = office.awaited("lifted", released=True)
    assert (claim["state"], office.standing("lifted")) == ("RECEIVED", "ACTIVE")
    assert office.conclude("lifted", "NOT_CONFIRMED")["claim"]["state"] == "VERIFIED"


def test_a_dispute_before_a_court_is_so_again_and_an_ended_one_stays_ended(office: Office) -> None:
    office.awaited("court", state="COURT")
    office.awaited("agreed", state="CLOSED")
    assert office.step("court", "close", {"reason": "Решение."})["claim"]["state"] == "CLOSED"


def test_who_was_confirmed_to_be_the_same_person_is_named_again(office: Office) -> None:
    claim = office.awaited("shared", enforcement="IN_FORCE")
    named = {office.subjects["shared"], office.subjects["twin"]}
    wait_until(
        lambda: set(office.claim("shared")["subjectIds"]) == named,
        lambda: f"named are {office.claim('shared')}",
    )
    _await_contact(office, "shared", "CONFIRMED")
    assert claim["claimId"] not in office.tasks("SETTLE_SAME_CONTACT")
    assert office.standing("twin") == "BLOCKED"
    office.conclude("shared", "NOT_CONFIRMED")
    assert (office.standing("shared"), office.standing("twin")) == ("ACTIVE", "ACTIVE")


def test_who_was_found_to_be_somebody_else_stays_unblocked(office: Office) -> None:
    _await_contact(office, "house", "RELEASED")
    assert (office.standing("house"), office.standing("guest")) == ("BLOCKED", "ACTIVE")
    assert office.claims["house"] not in office.tasks("SETTLE_SAME_CONTACT")


def _document(office: Office, name: str, kind: str) -> str | None:
    """The id of a document of a claim."""
    path = f"/v1/claims/{office.claims[name]}/documents"
    documents = granted(office.suite.as_("claimsOfficer").get(path)).get("documents", [])
    return next((d["documentId"] for d in documents if d["kind"] == kind), None)


def _timeline(office: Office, name: str) -> list[str]:
    path = f"/v1/claims/{office.claims[name]}/timeline"
    entries = granted(office.suite.as_("claimsOfficer").get(path)).get("entries", [])
    return [entry["event"] for entry in entries]
