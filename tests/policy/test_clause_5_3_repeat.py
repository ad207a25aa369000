# SPDX-License-Identifier: Apache-2.0
"""Clause 5.3: what got lost on the way is given once more, as a repeat of the same request."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.policy.person import DATA, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import Request, authority, data_in, opened, pick_up, submitted
from tests.policy.visiting import bought, visit, visited

WHY = "Пакет повреждён при передаче."
LOST: dict[str, Any] = {"repeated": True, "reason": WHY}


@pytest.fixture(scope="module")
def body(site: Site) -> str:
    """A state body of the site that two officers let in."""
    return authority(site)


def _given(person: Person, body: str, *categories: str, **more: object) -> tuple[Request, bytes]:
    """A request whose package was picked up, and the package."""
    request = submitted(person, body, *categories, **more).approved(*categories)
    answered = pick_up(person.site, request.released())
    assert answered.status == 200, answered.content.decode(errors="replace")
    return request, answered.content


def test_what_got_lost_is_given_once_more_on_an_officers_act_with_a_reason(
    site: Site, body: str, person: Person, records: Records
) -> None:
    """T-5.3-b: byte by byte, in evidence and ledger as a repeat."""
    request, package = _given(person, body, "NAME", "PHONE")
    first = request.shown()
    assert is_refused(request.act("release", {}), 409, "STATE_CONFLICT")
    silent = request.act("release", {"repeated": True, "reason": " "})
    assert (silent.status, silent.fields) == (400, ("reason",))
    code = request.released(**LOST)
    waiting = request.shown()
    assert waiting["state"] == "PICKED_UP"
    assert waiting["repeatUntilTime"]
    assert [each["text"] for each in waiting["reasons"]] == [WHY]
    again = pick_up(site, code)
    assert again.content == package
    assert is_refused(pick_up(site, code), 404, "NOT_AVAILABLE")
    repeat, line = person.disclosures()
    assert (line["outcome"], repeat["outcome"]) == ("RELEASED", "REPEAT")
    assert repeat["firstDisclosureId"] == line["disclosureId"]
    for member in ("fields", "ground", "authorityRequestId", "legalArticle"):
        assert repeat[member] == line[member]
    acts = records.entries("disclosure", person, "authority_request.released")
    assert [act["decidedOn"]["repeated"] for act in acts] == [False, True]
    picked = records.entries("disclosure", person, "authority_package.picked_up")
    digest = hashlib.sha256(package).hexdigest()
    assert picked[-1]["digests"] == {"package": digest, "firstPackage": digest}
    read = records.entries("vault", person, "data.read_for_authority")[-1]
    assert read["refs"]["first_release_id"] == line["disclosureId"]
    after = request.shown()
    assert (after["state"], after["pickUpTime"]) == ("PICKED_UP", first["pickUpTime"])
    assert "repeatUntilTime" not in after


def test_only_what_was_picked_up_is_repeated(site: Site, body: str, person: Person) -> None:
    """T-5.3-b"""
    request = submitted(person, body, "PHONE")
    assert is_refused(request.act("release", LOST), 409, "AWAITING_SECOND_APPROVAL")
    request.approved("PHONE")
    assert is_refused(request.act("release", LOST), 409, "STATE_CONFLICT")
    code = request.released()
    assert is_refused(request.act("release", LOST), 409, "STATE_CONFLICT")
    opened(pick_up(site, code))
    void, code = request.released(**LOST), request.released(**LOST)
    assert is_refused(pick_up(site, void), 404, "NOT_AVAILABLE")
    assert is_refused(pick_up(site, code, "971240001315"), 404, "NOT_AVAILABLE")
    opened(pick_up(site, code))


def test_a_repeat_reaches_no_data_that_the_first_did_not_give(
    site: Site, body: str, records: Records
) -> None:
    """T-5.3-b: no new disclosure, whatever was stored since; what has changed is said."""
    person = site.person({"givenName": DATA["givenName"], "phone": "+77011234567"})
    visited(person, visit(ip="203.0.113.7"))
    bought(person, "A-1", "Кітап")
    asked = ("NAME", "PHONE", "EMAIL", "TECHNICAL", "PURCHASES")
    request, package = _given(person, body, *asked)
    person.placed({"familyName": "Кейінгі", "email": "later@example.kz"})
    visited(person, visit(ip="203.0.113.8"))
    bought(person, "A-2", "Дәптер")
    assert pick_up(site, request.released(**LOST)).content == package
    person.placed({"phone": "+77017654321"})
    files = opened(pick_up(site, request.released(**LOST)))
    given = data_in(files)
    assert given["data"] == {"givenName": DATA["givenName"], "phone": "+77017654321"}
    assert [visit["ip"] for visit in given["visits"]] == ["203.0.113.7"]
    assert [purchase["orderId"] for purchase in given["purchases"]] == ["A-1"]
    told = json.loads(files["request.json"])["repeats"]
    assert told["packageSha256"] == hashlib.sha256(package).hexdigest()
    picked = records.entries("disclosure", person, "authority_package.picked_up")[-1]
    assert picked["digests"]["firstPackage"] == told["packageSha256"]
    assert picked["digests"]["package"] != told["packageSha256"]
    assert {tuple(line["fields"]) for line in person.disclosures()} == {
        tuple(person.disclosures()[-1]["fields"])
    }


def test_a_block_holds_a_repeat_as_it_holds_the_first(site: Site, body: str) -> None:
    """T-5.3-b (law.md 4.1)"""
    person = site.person(DATA)
    request, _ = _given(person, body, "PHONE")
    code = request.released(**LOST)
    person.claimed()
    assert is_refused(pick_up(site, code), 404, "NOT_AVAILABLE")
    assert is_refused(request.act("release", LOST), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert request.shown()["state"] == "PICKED_UP"
    own = request.act("release", {**LOST, "compelled": True}, "privacyOfficer")
    assert is_refused(own, 409, "AWAITING_SECOND_APPROVAL", "5.3")
    files = opened(pick_up(site, request.released(**LOST, compelled=True)))
    assert json.loads(files["request.json"])["disputedSince"]


def test_a_repeat_ends_with_its_code_and_with_the_request(
    site: Site, body: str, person: Person, records: Records
) -> None:
    """T-5.3-b"""
    request, _ = _given(person, body, "PHONE")
    change = "UPDATE authority_requests SET {} = :t WHERE request_id = :r"
    for column in ("code_expire_time", "expire_time"):
        code = request.released(**LOST)
        past = datetime.now(UTC) - timedelta(seconds=1)
        records.change("disclosure", change.format(column), t=past, r=request.request_id)
        assert is_refused(pick_up(site, code), 404, "NOT_AVAILABLE")
    assert request.shown()["state"] == "PICKED_UP"
    assert is_refused(request.act("release", LOST), 409, "STATE_CONFLICT")
    assert [line["outcome"] for line in person.disclosures()] == ["REFUSED", "REFUSED", "RELEASED"]
