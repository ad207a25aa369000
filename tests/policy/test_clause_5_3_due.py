# SPDX-License-Identifier: Apache-2.0
"""Clause 5.3: a state body's request has a day by which it is due; nobody can overlook it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.chassis.calendar import load_calendar
from services.chassis.deadline import local_date, plus_working_days
from services.chassis.ids import new_uuid
from tests.harness.waiting import awaited
from tests.policy.person import Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import PATH, Request, authority, pick_up, submitted


@pytest.fixture
def own_body(own_site: Site) -> str:
    """A state body of a site of the test's own."""
    return authority(own_site)


@pytest.fixture
def own_person(own_site: Site) -> Person:
    """Somebody of it."""
    return own_site.person({})


def _listed(site: Site, query: str) -> set[str]:
    answered = site.good("privacyOfficer", "GET", f"{PATH}?{query}")
    return {each["requestId"] for each in answered.json["requests"]}


def _late(records: Records, request: Request) -> Request:
    """The same, whose term is over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    statement = "UPDATE authority_requests SET due_time = :t WHERE request_id = :r"
    records.change("disclosure", statement, t=past, r=request.request_id)
    return request


def _due(request: Request) -> tuple[str, Any]:
    shown = request.shown()
    return shown["authorization"]["dueDate"], shown["dueTime"]


def test_the_day_that_the_body_names_is_kept(own_body: str, own_person: Person) -> None:
    """T-5.3-b: a request, not a claim, with a due day of its own."""
    day = local_date(datetime.now(UTC)) + timedelta(days=3)
    request = submitted(own_person, own_body, dueDate=day.isoformat())
    assert _due(request) == (day.isoformat(), f"{day}T19:00:00Z")


def test_without_one_it_is_due_in_fifteen_working_days(own_body: str, own_person: Person) -> None:
    """T-5.3-b"""
    request = submitted(own_person, own_body)
    due = plus_working_days(datetime.now(UTC), 15, load_calendar(None))
    assert _due(request)[0] == due.due_date.isoformat()


def test_what_is_due_is_found_and_what_is_answered_is_not(
    own_site: Site, own_body: str, own_person: Person, records: Records
) -> None:
    """T-5.3-b"""
    soon = local_date(datetime.now(UTC)) + timedelta(days=1)
    late = _late(records, submitted(own_person, own_body))
    waiting = submitted(own_person, own_body, dueDate=soon.isoformat())
    later = submitted(own_person, own_body)
    for answered in ("reject", "release"):
        request = _late(records, submitted(own_person, own_body))
        if answered == "release":
            request.approved("NAME").released()
        else:
            assert request.act("reject", {"reason": "Негіз жоқ"}).status == 200
    assert _listed(own_site, "overdue=true") == {late.request_id}
    assert late.shown()["overdue"] is True
    assert _listed(own_site, f"dueBefore={soon}") == {waiting.request_id}
    assert later.request_id in _listed(own_site, "")
    both = own_site.ask("privacyOfficer", "GET", f"{PATH}?overdue=true&dueBefore={soon}")
    assert is_refused(both, 400, "INVALID_ARGUMENT")
    assert both.fields == ("dueBefore",)


def test_a_code_that_nobody_brought_leaves_the_request_unanswered(
    own_site: Site, own_body: str, own_person: Person, records: Records
) -> None:
    """T-5.3-b"""
    request = _late(records, submitted(own_person, own_body).approved("NAME"))
    request.released()
    assert _listed(own_site, "overdue=true") == set()
    past = datetime.now(UTC) - timedelta(seconds=1)
    lapsed = "UPDATE authority_requests SET code_expire_time = :t WHERE request_id = :r"
    records.change("disclosure", lapsed, t=past, r=request.request_id)
    assert _listed(own_site, "overdue=true") == {request.request_id}


def test_what_nobody_answered_is_overdue_after_its_time_too_until_somebody_rejects_it(
    own_site: Site, own_body: str, own_person: Person, records: Records
) -> None:
    """T-5.3-b, T-6.2.2-b: who asks why nothing came is answered, whoever approved it or not."""
    change = "UPDATE authority_requests SET expire_time = :t WHERE request_id = :r"
    rules = []
    for approve in (False, True):
        request = _late(records, submitted(own_person, own_body))
        if approve:
            request.approved("NAME").released()
        past = datetime.now(UTC) - timedelta(seconds=1)
        records.change("disclosure", change, t=past, r=request.request_id)
        assert (request.shown()["state"], request.shown()["overdue"]) == ("EXPIRED", True)
        assert _listed(own_site, "overdue=true") == {request.request_id}
        told = request.act("reject", {"reason": "Қызметкер келмеді."})
        assert (told.status, told.json["request"]["state"]) == (200, "REJECTED")
        assert _listed(own_site, "overdue=true") == set()
        shown = request.shown()
        assert [each["text"] for each in shown["reasons"]] == ["Қызметкер келмеді."]
        assert {task["state"] for task in shown["tasks"]} == {"REFUSED"}
        assert is_refused(request.act("reject", {"reason": "Тағы."}), 409, "STATE_CONFLICT")
        rules.append(own_person.disclosures()[0]["rule"])
    assert rules == ["request-not-approved", "request-lapsed"]
    entries = records.entries("disclosure", own_person, "authority_request.rejected")
    assert [entry["decidedOn"]["state"] for entry in entries] == ["EXPIRED", "EXPIRED"]


def test_what_is_let_go_is_rejected_as_long_as_nobody_has_it(
    own_site: Site, own_body: str, own_person: Person, records: Records
) -> None:
    """T-5.3-b"""
    why = {"reason": "Негіз кері қайтарылды."}
    request = submitted(own_person, own_body).approved("NAME")
    code = request.released()
    attempt = (
        "INSERT INTO authority_releases SELECT site_id, :i, request_id, subject_id, authority_id,"
        " 'PREPARED', now() + interval '1 hour', NULL, '', '{}', '', '', ''"
        " FROM authority_requests WHERE request_id = :r"
    )
    records.change("disclosure", attempt, i=new_uuid(), r=request.request_id)
    assert is_refused(request.act("reject", why), 503, "UNAVAILABLE")
    records.change(
        "disclosure",
        "DELETE FROM authority_releases WHERE request_id = :r",
        r=request.request_id,
    )
    assert request.act("reject", why).status == 200
    assert is_refused(pick_up(own_site, code), 404, "NOT_AVAILABLE")
    given = submitted(own_person, own_body).approved("NAME")
    assert pick_up(own_site, given.released()).status == 200
    assert is_refused(given.act("reject", why), 409, "STATE_CONFLICT")


def test_what_is_overdue_is_an_operators_figure(
    own_site: Site, own_body: str, own_person: Person, records: Records
) -> None:
    """T-5.3-b"""
    before = _told(own_site, records)
    _late(records, submitted(own_person, own_body))
    assert _told(own_site, records) == before + 1


def _told(site: Site, records: Records) -> int:
    """The figure, once it tells of what is overdue by now, of all sites."""

    def told() -> int | None:
        [(count,)] = records.rows(
            "disclosure",
            "SELECT count(*) FROM authority_requests WHERE due_time <= now()"
            " AND (state IN ('PENDING', 'APPROVED', 'HELD')"
            " OR state = 'READY' AND least(code_expire_time, expire_time) <= now())",
        )
        figure = f'qupia_overdue{{duty="authority_requests"}} {float(count)}'
        return int(count) if figure in site.suite.metrics("disclosure").splitlines() else None

    return awaited(told, "the figure does not tell of it")
