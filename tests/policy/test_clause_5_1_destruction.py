# SPDX-License-Identifier: Apache-2.0
"""Clause 5.1: what has to go is destroyed for good, unless something holds it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.conversation import Answered
from tests.policy.person import DATA, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site

ENDS = ("destroy", "depersonalize")
_VISIT = {
    "ip": "203.0.113.77",
    "cookie": "sid=canary-4711",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "page": "/catalogue/7",
    "referrer": "https://search.example/?q=1",
}
_LINE = {"title": "Кітап", "quantity": 2, "amount": "4990", "currency": "KZT"}


def end(person: Person, how: str = "destroy", **more: object) -> Answered:
    """A privacy officer ends a person's data."""
    body = {"ground": "DEMAND", **more}
    return person.ask("POST", f":{how}", body, who="privacyOfficer")


def ended(person: Person, how: str = "destroy", **more: object) -> dict[str, Any]:
    """The answer to an end that nothing holds."""
    answered = end(person, how, **more)
    assert answered.status == 200, answered.content.decode()
    assert answered.json["outcome"] == "DESTROYED", answered.json
    found: dict[str, Any] = answered.json
    return found


def kinds(holds: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What holds, by kind and id."""
    return [(hold["kind"], hold["id"]) for hold in holds]


def fill(person: Person) -> None:
    """Something of every kind: former data, visits, purchases, a correction's document."""
    person.placed({"givenName": "Нұрлан"})
    visit = _VISIT | {"accessTime": datetime.now(UTC).isoformat()}
    items = {"items": [{"subjectId": person.subject_id, "visit": visit}]}
    person.site.good("storefront", "POST", "/v1/visits", items)
    purchase = {"orderId": f"P-{person.subject_id[:12]}", "lines": [_LINE]}
    assert person.ask("POST", "/purchases", {"purchase": purchase}).status == 200


@pytest.mark.parametrize("how", ENDS)
def test_a_destroyed_person_is_destroyed_for_every_decider(person: Person, how: str) -> None:
    """T-5.1-b"""
    fill(person)
    order_id = person.ordered()
    person.assigned(order_id=order_id)
    person.site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    ended(person, how)
    for purpose in ("IDENTIFY_FOR_ORDER", "SECURITY_LOCATION", "PERSONAL_RESOURCES"):
        assert is_refused(person.read(purpose), 410, "SUBJECT_DESTROYED", "5.1")
    assert is_refused(person.place({"givenName": "Ерлан"}), 410, "SUBJECT_DESTROYED")
    assert is_refused(person.grant("NEWS"), 410, "SUBJECT_DESTROYED")
    assert is_refused(person.accept(), 410, "SUBJECT_DESTROYED")
    assert is_refused(person.order(), 410, "SUBJECT_DESTROYED")
    assert person.standing()["state"] == "DESTROYED"
    assert is_refused(end(person, how), 410, "SUBJECT_DESTROYED", "5.1")


def test_nobody_else_learns_that_somebody_was_destroyed(person: Person, own_site: Site) -> None:
    """T-5.1-b"""
    ended(person)
    stranger = Person(own_site, person.subject_id)
    nobody = Person(own_site, "0" * 32)
    for verb, what, body, who in (
        ("POST", "/data:read", {"purpose": "IDENTIFY_FOR_ORDER"}, "storefront"),
        ("GET", "/standing", None, "storefront"),
        ("POST", ":destroy", {"ground": "DEMAND"}, "privacyOfficer"),
        ("GET", "/destruction", None, "privacyOfficer"),
    ):
        mine = stranger.ask(verb, what, body, who=who)
        absent = nobody.ask(verb, what, body, who=who)
        assert is_refused(mine, 404, "NOT_FOUND")
        assert mine.json.keys() == absent.json.keys()
        assert {**mine.json, "reference": ""} == {**absent.json, "reference": ""}


def test_the_certificate_names_what_went_and_from_when_nothing_brings_it_back(
    person: Person, records: Records
) -> None:
    """T-5.1-b"""
    fill(person)
    before = datetime.now(UTC)
    certificate = ended(person, reference="demand-17")["certificate"]
    rows = {each["category"]: each["rows"] for each in certificate["destroyed"]}
    assert rows["DATA"] == len(DATA)
    assert rows["FORMER_DATA"] == rows["VISITS"] == rows["PURCHASES"] == 1
    assert rows["INDEX_ENTRIES"] == 2
    assert certificate["ground"] == "DEMAND"
    assert certificate["reference"] == "demand-17"
    assert "privacyOfficer" in certificate["executedBy"]
    gone_by = datetime.fromisoformat(certificate["unrecoverableTime"])
    assert before < gone_by <= datetime.now(UTC) + timedelta(days=14)
    (epoch,) = records.rows("keystore", "SELECT epoch FROM epoch_keys WHERE current")
    assert certificate["epoch"] == epoch.epoch
    document = certificate["document"]
    assert json.loads(document)["subjectId"] == person.subject_id
    (entry,) = [
        e
        for e in records.of_site("vault", person.site.site_id, "subject.destroyed")
        if e["entryId"] == certificate["entryId"]
    ]
    assert entry["digests"]["certificate"] == hashlib.sha256(document.encode()).hexdigest()
    told = person.ask("GET", "/destruction", who="auditor").json
    assert told["certificate"] == certificate
    assert told["destruction"]["state"] == "DONE"


@pytest.mark.parametrize("how", ENDS)
def test_a_block_holds_both_ends(person: Person, records: Records, how: str) -> None:
    """T-6.2.3-a"""
    claim_id = person.claimed()["claimId"]
    refused = end(person, how)
    assert is_refused(refused, 409, "SUBJECT_BLOCKED", "6.2.3")
    assert ("OPEN_BLOCK", claim_id) in kinds(refused.json["holds"])
    event = f"subject.{'destroyed' if how == 'destroy' else 'depersonalised'}"
    assert records.refusals("vault", person, event) == [("SUBJECT_BLOCKED", "6.2.3")]
    rehearsed = end(person, how, dryRun=True).json
    assert rehearsed["outcome"] == "HELD"
    assert ("OPEN_BLOCK", claim_id) in kinds(rehearsed["holds"])


def test_a_claims_hold_outlives_its_block(person: Person) -> None:
    """T-5.1-b"""
    claim_id = person.claimed()["claimId"]
    person.concluded(claim_id, "NOT_CONFIRMED")
    refused = end(person)
    assert is_refused(refused, 409, "DESTRUCTION_HELD", "8.3")
    assert [kind for kind, _ in kinds(refused.json["holds"])] == ["LEGAL_HOLD"]
    assert person.data()["patronymic"] == DATA["patronymic"]


@pytest.mark.parametrize("how", ENDS)
def test_an_open_order_holds_until_it_is_closed(person: Person, how: str) -> None:
    """T-5.1-b"""
    order_id = person.ordered()
    refused = end(person, how)
    assert is_refused(refused, 409, "DESTRUCTION_HELD", "5.2")
    assert kinds(refused.json["holds"]) == [("OPEN_ORDER", order_id)]
    person.site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    ended(person, how)


def test_a_dry_run_changes_nothing_and_tells_what_would_go(
    person: Person, records: Records
) -> None:
    """T-5.1-b"""
    fill(person)
    rehearsed = end(person, dryRun=True).json
    assert rehearsed["outcome"] == "DESTROYED"
    assert "certificate" not in rehearsed
    assert not rehearsed.get("holds")
    rows = {each["category"]: each["rows"] for each in rehearsed["categories"]}
    assert rows["DATA"] == len(DATA)
    assert rows["VISITS"] == rows["PURCHASES"] == 1
    assert person.data()["patronymic"] == DATA["patronymic"]
    assert not records.rows(
        "vault", "SELECT 1 FROM destructions WHERE subject_id=:p", p=person.subject_id
    )


def test_an_outcome_of_unlawful_acts_makes_destruction_due_the_next_working_day(
    person: Person,
) -> None:
    """T-6.2.3-e"""
    claim_id = person.claimed("UNLAWFUL_ACTS")["claimId"]
    person.concluded(claim_id, "UNLAWFUL_CONFIRMED")
    listed = person.site.good("privacyOfficer", "GET", "/v1/destructions?pageSize=1000").json
    (due,) = [d for d in listed["destructions"] if d["subjectId"] == person.subject_id]
    assert (due["state"], due["claimId"], due["ground"]) == (
        "DUE", claim_id, "UNLAWFUL_CONFIRMED",
    )  # fmt: skip
    due_time = datetime.fromisoformat(due["dueTime"])
    assert datetime.now(UTC) < due_time <= datetime.now(UTC) + timedelta(days=12)
    assert due_time.minute == 0
    # The claim's own hold does not stop its own outcome, which is destruction and nothing else.
    assert not due.get("holds")
    assert is_refused(end(person, "depersonalize"), 409, "SUBJECT_RESTRICTED", "6.2.3")
    certificate = ended(person, ground="UNLAWFUL_CONFIRMED")["certificate"]
    assert certificate["destructionId"] == due["destructionId"]
    done = person.ask("GET", "/destruction", who="claimsOfficer").json["destruction"]
    assert (done["state"], done["claimId"]) == ("DONE", claim_id)
    assert "privacyOfficer" in done["executedBy"]


def test_unlawful_acts_are_a_ground_only_where_they_were_confirmed(person: Person) -> None:
    """T-5.1-b"""
    refused = end(person, ground="UNLAWFUL_CONFIRMED")
    assert is_refused(refused, 400, "INVALID_ARGUMENT")
    assert [e["field"] for e in refused.json["errors"]] == ["ground"]
    refused = person.ask("POST", ":destroy", {}, who="privacyOfficer")
    assert is_refused(refused, 400, "INVALID_ARGUMENT")
    assert [e["field"] for e in refused.json["errors"]] == ["ground"]


def test_a_repeat_with_the_same_key_gives_the_same_certificate(person: Person) -> None:
    """T-5.1-b"""
    headers = {"Idempotency-Key": f"end-{person.subject_id}"}
    path, body = f"{person.path}:destroy", {"ground": "DEMAND"}
    first = person.site.ask("privacyOfficer", "POST", path, body, headers)
    again = person.site.ask("privacyOfficer", "POST", path, body, headers)
    assert first.status == again.status == 200
    assert first.json == again.json


def test_another_registration_is_another_person(person: Person) -> None:
    """T-5.1-b"""
    ended(person)
    assert person.site.person(DATA).subject_id != person.subject_id
    assert is_refused(person.read("IDENTIFY_FOR_ORDER"), 410, "SUBJECT_DESTROYED")
