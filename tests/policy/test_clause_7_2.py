# SPDX-License-Identifier: Apache-2.0
"""Clause 7.2: exemptions are claimed with evidence and an author, and change nothing else."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cli.conversation import Answered
from services.chassis.ids import new_uuid
from tests.harness.waiting import wait_until
from tests.policy.incidents import days_ago, registered, stands, step
from tests.policy.person import Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site

REFERENCE = "Публикация на сайте stat.example.kz"
CODES = {
    "PUBLIC_BEFORE": "7.2.1",
    "FROM_THIRD_PARTY": "7.2.2",
    "UNAUTHORISED_ACCESS": "7.2.3",
}


def _claim(site: Site, found: dict[str, Any], code: str, **more: object) -> Answered:
    body = {"code": code, "reference": REFERENCE, **more}
    return step(site, found, "/exemptions", body)


@pytest.mark.parametrize(("code", "clause"), CODES.items())
def test_an_exemption_is_a_label_that_changes_neither_timer_nor_block(
    site: Site, person: Person, records: Records, code: str, clause: str
) -> None:
    """T-7.2-a"""
    assert person.claim().status == 200
    found = registered(site, person)
    before = records.of_site("claims", site.site_id)
    claimed = _claim(site, found, code, referenceDate="2020-01-01").json["incident"]
    [label] = claimed["exemptions"]
    assert (label["code"], label["clause"]) == (code, clause)
    assert label["author"].startswith("person/")
    same = {name for name in found if name not in ("exemptions", "subjectIds")}
    after = stands(site, found)
    assert {name: after[name] for name in same} == {name: found[name] for name in same}
    assert person.standing()["state"] == "BLOCKED"
    entries = records.of_site("claims", site.site_id)
    assert [e for e in entries if e in before] == before, "no entry is touched"
    [entry] = [
        e
        for e in entries
        if e["event"] == "exemption.proposed" and e["refs"]["incident_id"] == found["incidentId"]
    ]
    assert (entry["clause"], REFERENCE in str(entry)) == (clause, False)


@pytest.mark.parametrize("code", ["PUBLIC_BEFORE", "FROM_THIRD_PARTY"])
def test_an_exemption_without_evidence_is_none(site: Site, code: str) -> None:
    """T-7.2-a"""
    found = registered(site)
    assert _claim(site, found, code).fields == ("referenceDate",)
    bare = _claim(site, found, code, referenceDate="2020-01-01", reference=" ")
    assert (bare.status, bare.fields) == (400, ("reference",))
    assert _claim(site, found, "CODE_UNSPECIFIED").fields == ("code",)
    detected = datetime.fromisoformat(found["detectTime"]).astimezone(timezone(timedelta(hours=5)))
    after = (detected.date() + timedelta(days=1)).isoformat()
    late = _claim(site, found, code, referenceDate=after)
    assert (late.status, late.fields) == (400, ("referenceDate",)), "it came about afterwards"
    assert stands(site, found)["exemptions"] == []


def test_unauthorised_access_always_opens_a_notice(site: Site) -> None:
    """T-7.2-b"""
    found = registered(site, cause="UNAUTHORISED_ACCESS", detectTime=days_ago(10))
    assert found["noticeDueDate"]
    assert _claim(site, found, "UNAUTHORISED_ACCESS").status == 200
    wait_until(lambda: "overdueTime" in stands(site, found), "the overdue notice is found")
    closed = step(site, found, ":close", {"reason": "Пункт 7.2.3"})
    assert is_refused(closed, 409, "STATE_CONFLICT", "7.1")


def test_an_exemption_by_consent_needs_the_consent_that_was_in_force(
    site: Site, person: Person
) -> None:
    """T-7.2-c"""
    before = datetime.now(UTC)
    act_id = person.grant("NEWS").json["actId"]
    found = registered(site, person)
    consent = {
        "subjectId": person.subject_id,
        "purpose": "NEWS",
        "actId": act_id,
        "disclosureTime": datetime.now(UTC).isoformat(),
    }
    assert _claim(site, found, "WITH_CONSENT").fields == ("consent",)
    for wrong in (
        {"actId": new_uuid()},
        {"purpose": "ADVERTISING"},
        {"disclosureTime": before.isoformat()},
        {"subjectId": site.person().subject_id},
    ):
        refused = _claim(site, found, "WITH_CONSENT", consent={**consent, **wrong})
        assert (refused.status, refused.fields) == (400, ("consent.actId",)), wrong
    claimed = _claim(site, found, "WITH_CONSENT", consent=consent)
    [label] = claimed.json["incident"]["exemptions"]
    assert (label["clause"], label["consentActId"]) == ("7.2.4", act_id)
    person.withdraw("NEWS")
    later = {**consent, "disclosureTime": datetime.now(UTC).isoformat()}
    refused = _claim(site, found, "WITH_CONSENT", consent=later)
    assert (refused.status, refused.fields) == (400, ("consent.actId",))
    with_other = _claim(site, found, "UNAUTHORISED_ACCESS", consent=consent)
    assert (with_other.status, with_other.fields) == (400, ("consent",))
