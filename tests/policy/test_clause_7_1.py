# SPDX-License-Identifier: Apache-2.0
"""Clause 7.1: an incident is registered, and notice of it is due whatever is said of it."""

import io
from datetime import UTC, date, datetime, timedelta, timezone

import holidays
import pypdf
import pytest

from services.chassis.ids import new_subject_id, new_uuid
from tests.harness.waiting import wait_until
from tests.policy.incidents import (
    DESCRIPTION,
    MEASURES,
    days_ago,
    incident,
    notice,
    registered,
    stands,
    step,
)
from tests.policy.person import DATA, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import authority, submitted

ALMATY = timezone(timedelta(hours=5))


def _next_working_day(moment: datetime) -> date:
    calendar = holidays.KZ()  # type: ignore[attr-defined]
    day: date = moment.astimezone(ALMATY).date() + timedelta(days=1)
    while not calendar.is_working_day(day):
        day += timedelta(days=1)
    return day


@pytest.mark.parametrize("intent", ["INTENTIONAL", "NOT_INTENTIONAL", "UNKNOWN"])
@pytest.mark.parametrize("kind", ["LOST", "DISCLOSED"])
def test_an_incident_has_intent_cause_subjects_and_a_notice_deadline(
    site: Site, person: Person, records: Records, intent: str, kind: str
) -> None:
    """T-7.1-a"""
    found = registered(site, person, kind=kind, intent=intent, cause="EMPLOYEE_ERROR")
    assert (found["kind"], found["intent"], found["cause"]) == (kind, intent, "EMPLOYEE_ERROR")
    assert found["subjectIds"] == [person.subject_id]
    assert found["affected"] == 1
    detected = datetime.fromisoformat(found["detectTime"])
    assert found["noticeDueDate"] == _next_working_day(detected).isoformat()
    [entry] = records.entries("claims", person, "incident.registered")
    assert entry["principal"].startswith("person/")
    assert DESCRIPTION not in str(entry)


@pytest.mark.parametrize("missing", ["kind", "cause", "intent", "description"])
def test_an_incident_without_one_of_its_parts_is_none(site: Site, missing: str) -> None:
    """T-7.1-a"""
    whole = incident()
    del whole[missing]
    refused = site.ask("privacyOfficer", "POST", "/v1/incidents", {"incident": whole})
    assert (refused.status, refused.fields) == (400, (f"incident.{missing}",))


def test_an_incident_is_not_detected_in_the_future_nor_of_nobodys_data(site: Site) -> None:
    """T-7.1-a"""
    ahead = incident(detectTime=days_ago(-1))
    refused = site.ask("privacyOfficer", "POST", "/v1/incidents", {"incident": ahead})
    assert (refused.status, refused.fields) == (400, ("incident.detectTime",))
    nobody = {**incident(), "subjectIds": [new_subject_id()]}
    refused = site.ask("privacyOfficer", "POST", "/v1/incidents", {"incident": nobody})
    assert is_refused(refused, 404, "NOT_FOUND")


def test_no_field_moves_the_notice_deadline_and_only_notice_ends_it(
    site: Site, person: Person
) -> None:
    """T-7.1-a"""
    found = registered(site, detectTime=days_ago(10))
    due = found["noticeDueTime"]
    assessed = step(
        site,
        found,
        ":assess",
        {
            "intent": "NOT_INTENTIONAL",
            "cause": "EMPLOYEE_ERROR",
            "subjectIds": [person.subject_id],
            "measures": MEASURES,
        },
    ).json["incident"]
    assert (assessed["noticeDueTime"], assessed["affected"]) == (due, 1)
    closed = step(site, found, ":close", {"reason": "Ничего страшного"})
    assert is_refused(closed, 409, "STATE_CONFLICT", "7.1")
    step(site, found, "/notices", notice("SUBJECTS"))
    assert "noticeTime" not in stands(site, found), "the authorised body was not told"
    wait_until(lambda: "overdueTime" in stands(site, found), "the overdue notice is found")
    told = step(site, found, "/notices", notice())
    assert told.json["incident"]["noticeTime"]
    assert stands(site, found)["overdueTime"], "late stays late"
    assert step(site, found, ":close", {"reason": "Уведомление отправлено"}).status == 200
    assert is_refused(step(site, found, "/notices", notice()), 409, "STATE_CONFLICT")
    listed = site.good("auditor", "GET", "/v1/incidents").json.get("incidents", [])
    assert found["incidentId"] not in {each["incidentId"] for each in listed}


def test_the_notice_file_has_all_but_personal_data(site: Site, person: Person) -> None:
    """T-7.1-a"""
    found = registered(site, person)
    step(site, found, ":assess", {"measures": MEASURES})
    request_id = submitted(person, authority(site)).request_id
    given = step(site, found, "/notices", notice(authorityRequestId=request_id))
    assert given.json["incident"]["notices"][0]["authorityRequestId"] == request_id
    path = f"/v1/incidents/{found['incidentId']}/notice?language=ru"
    file = site.good("privacyOfficer", "GET", path)
    assert file.content.startswith(b"%PDF")
    pages = pypdf.PdfReader(io.BytesIO(file.content)).pages
    # The lines of a page may be broken anywhere, in the middle of a name or a number too.
    words = "".join("".join(page.extract_text() for page in pages).split())
    for each in ("разглашение данных", MEASURES, request_id):
        assert each.replace(" ", "") in words
    held = (person.subject_id, "Ержан", *(person.own[name] for name in ("phone", "familyName")))
    for each in held:
        assert each not in words


def test_a_notice_names_only_a_request_by_which_data_leave(
    site: Site, own_site: Site, person: Person
) -> None:
    """T-7.1-a"""
    found = registered(site, person)
    request = submitted(person, authority(site))
    elsewhere = submitted(own_site.person(DATA), authority(own_site)).request_id
    rejected = submitted(person, authority(site))
    assert rejected.act("reject", {"reason": "Нет санкции."}).status == 200
    for wrong in (new_uuid(), elsewhere, rejected.request_id):
        refused = step(site, found, "/notices", notice(authorityRequestId=wrong))
        assert is_refused(refused, 400, "INVALID_ARGUMENT")
        assert refused.fields == ("authorityRequestId",)
    assert "noticeTime" not in stands(site, found)
    given = step(site, found, "/notices", notice(authorityRequestId=request.request_id))
    assert given.json["incident"]["noticeTime"]


def test_only_privacy_officers_keep_the_register(site: Site) -> None:
    """T-7.1-a"""
    body = {"incident": incident()}
    for who in ("claimsOfficer", "storefront", "auditor"):
        assert is_refused(site.ask(who, "POST", "/v1/incidents", body), 403, "PERMISSION_DENIED")
    found = registered(site)
    texts = f"/v1/incidents/{found['incidentId']}?withTexts=true"
    assert is_refused(site.ask("auditor", "GET", texts), 403, "PERMISSION_DENIED")
    read = site.good("privacyOfficer", "GET", texts).json
    assert [text["text"] for text in read["texts"]] == [DESCRIPTION]
    assert datetime.fromisoformat(read["texts"][0]["time"]) <= datetime.now(UTC)
