# SPDX-License-Identifier: Apache-2.0
"""Law, article 8: how a consent is given, refused and withdrawn, and what proves it."""

from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pytest

from cli.conversation import Answered
from tests.policy.person import WORDING, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site

DIGEST = "cd" * 32
PAPER = {"reference": "archive/2026/17", "sha256": DIGEST}
AUTHORITY = {"kind": "LEGAL_REPRESENTATIVE", "reference": "guardian-5", "sha256": DIGEST}
ASKED = {"language": "ru", "wording": WORDING}


def say(person: Person, verb: str, who: str = "storefront", **body: object) -> Answered:
    """A word of the person about NEWS."""
    return person.ask("POST", f"/consents/NEWS:{verb}", body, who)


def state(person: Person, query: str = "") -> str:
    """The state of NEWS; "never asked" where it is not listed."""
    answered = person.ask("GET", f"/consents{query}", who="auditor")
    assert answered.status == 200, answered.content.decode()
    found = {c["purpose"]: c["state"] for c in answered.json["consents"]}
    return str(found.get("NEWS", "never asked"))


def test_a_no_is_recorded_and_told_from_never_asked(person: Person, records: Records) -> None:
    assert state(person) == "never asked"
    refused = say(person, "refuse", **ASKED)
    assert (refused.status, refused.json["enforcement"]) == (200, "IN_FORCE")
    assert refused.json["consent"]["state"] == "REFUSED_BY_PERSON"
    assert state(person) == "REFUSED_BY_PERSON"
    assert is_refused(person.read("NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")
    entry = records.entries("consent", person, "consent.refused")[0]
    assert (entry["clause"], entry["outcome"]) == ("4.1.10", "DONE")


def test_a_representative_consents_by_an_authority(person: Person, records: Records) -> None:
    bare = say(person, "grant", **ASKED, declaration={"declarant": "REPRESENTATIVE"})
    assert is_refused(bare, 400, "INVALID_ARGUMENT")
    declaration = {"declarant": "REPRESENTATIVE", "authority": AUTHORITY}
    assert say(person, "grant", **ASKED, declaration=declaration).status == 200
    assert set(person.data("NEWS")) == {"familyName", "givenName", "patronymic", "phone", "email"}
    [entry] = records.entries("consent", person, "consent.granted")
    assert entry["refs"]["authority"] == "guardian-5"


def test_an_officer_enters_a_withdrawal_from_paper_with_its_date(person: Person) -> None:
    assert person.grant("NEWS").status == 200
    early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    declaration: dict[str, Any] = {"declareTime": early, "paper": PAPER}
    assert is_refused(say(person, "withdraw", declaration=declaration), 400, "INVALID_ARGUMENT")
    done = say(person, "withdraw", "privacyOfficer", declaration=declaration)
    assert (done.json["consent"]["state"], done.json["enforcement"]) == ("WITHDRAWN", "IN_FORCE")
    assert is_refused(person.read("NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")


@pytest.mark.parametrize("field", ["paper", "declareTime"])
def test_an_officer_enters_nothing_without_paper_and_date(person: Person, field: str) -> None:
    declaration: dict[str, Any] = {
        "declareTime": datetime.now(UTC).isoformat(),
        "paper": PAPER,
    }
    del declaration[field]
    answered = say(person, "grant", "privacyOfficer", **ASKED, declaration=declaration)
    assert is_refused(answered, 400, "INVALID_ARGUMENT")
    assert [e["field"] for e in answered.json["errors"]] == [f"declaration.{field}"]
    assert state(person) == "never asked"


def test_the_past_is_told_as_it_was_known(own_site: Site) -> None:
    person = own_site.person()
    times = [datetime.now(UTC)]
    for verb in ("grant", "withdraw"):
        body = ASKED if verb == "grant" else {}
        assert say(person, verb, **body).status == 200
        times.append(datetime.now(UTC))
    before, given, ended = (time.isoformat().replace("+00:00", "Z") for time in times)
    assert state(person, f"?atTime={before}") == "never asked"
    assert state(person, f"?atTime={given}") == "GIVEN"
    assert state(person, f"?atTime={ended}&knownTime={given}") == "GIVEN"
    assert state(person, f"?atTime={ended}") == "WITHDRAWN"


def test_a_consent_is_proven_with_its_operator_wording_and_entries(
    person: Person, records: Records
) -> None:
    """T-1.1.1-b"""
    granted = say(person, "grant", **ASKED).json
    proof: dict[str, Any] = {}
    for who in ("storefront", "privacyOfficer", "auditor", "claimsOfficer"):
        proof = person.site.good(who, "GET", f"{person.path}/consents/NEWS:prove").json
        assert proof["consent"]["state"] == "GIVEN"
        assert proof["wording"] == WORDING
        record = proof["record"]
        assert record["@id"] == f"urn:uuid:{granted['actId']}"
        assert len(record["hasDataController"]["hasIdentifier"]) == 12
        controller = record["hasDataController"]
        for told in ("hasName", "hasAddress", "hasContact", "hasResponsibleEntity"):
            assert controller[told].strip()
            assert all(escape(controller[told]) in page["html"] for page in proof["pages"])
        assert {page["language"] for page in proof["pages"]} == {"kk", "ru", "en"}
    [entry] = records.entries("consent", person, "consent.granted")
    assert entry["entryId"] in [e["entryId"] for e in proof["evidence"]]
    looks = records.entries("consent", person, "consent.proven")
    assert [look["outcome"] for look in looks] == ["PERMITTED"] * 4


def test_a_consent_is_valid_at_the_instant_it_is_proven_for(person: Person) -> None:
    """T-7.2-c"""
    say(person, "grant", **ASKED)
    given = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    say(person, "withdraw")
    told = {
        query: person.ask("GET", f"/consents/NEWS:prove{query}", who="claimsOfficer").json
        for query in (f"?atTime={given}", "")
    }
    assert told[f"?atTime={given}"]["consent"]["state"] == "GIVEN"
    assert told[""]["consent"]["state"] == "WITHDRAWN"


def test_who_accepted_a_version_is_listed(own_site: Site) -> None:
    people = sorted(own_site.person().subject_id for _ in range(3))
    seen, token = [], ""
    for _ in people:
        path = f"/v1/policies/1/acceptances?pageSize=1{token}"
        page = own_site.good("auditor", "GET", path).json
        seen += [each["subjectId"] for each in page["acceptances"]]
        token = f"&pageToken={page.get('nextPageToken', '')}"
    assert seen == people
    assert own_site.ask("storefront", "GET", "/v1/policies/1/acceptances").status == 403
