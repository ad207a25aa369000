# SPDX-License-Identifier: Apache-2.0
"""Clause 8.2: a claim is answered in writing within 30 calendar days."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import holidays
import pytest

from cli.conversation import Answered
from services.chassis.calendar import load_calendar
from services.chassis.deadline import due
from tests.harness.waiting import wait_until
from tests.policy.person import Person, is_refused
from tests.policy.site import Site

# Kazakhstan has one time since 1 March 2024.
ALMATY = timezone(timedelta(hours=5))
DAYS = 30


def answer(now: datetime | None = None) -> dict[str, Any]:
    """An answer that is whole, sent now."""
    return {
        "decision": "REJECTED",
        "text": "Проверка ошибок не выявила.",
        "dispatch": {
            "channel": "POST",
            "time": (now or datetime.now(UTC)).isoformat(),
            "proof": "Квитанция KZ123456789",
        },
    }


def due_date(receipt: datetime, days: int = DAYS) -> date:
    """Day 0 is the local day of receipt; a last day that is not worked moves on (counted here)."""
    calendar = holidays.KZ()  # type: ignore[attr-defined]
    day: date = receipt.astimezone(ALMATY).date() + timedelta(days=days)
    while not calendar.is_working_day(day):
        day += timedelta(days=1)
    return day


@pytest.mark.parametrize(
    ("received", "last_day"),
    [
        pytest.param("2026-11-23T09:00:00+05:00", "2026-12-23", id="T-8.2-a"),
        pytest.param("2026-11-23T23:59:59+05:00", "2026-12-23", id="T-8.2-a last second"),
        pytest.param("2026-11-23T20:30:00+00:00", "2026-12-24", id="T-8.2-b"),
        pytest.param("2026-02-19T12:00:00+05:00", "2026-03-26", id="T-8.2-c"),
    ],
)
def test_the_last_day_is_the_thirtieth_after_the_local_day_of_receipt(
    received: str, last_day: str
) -> None:
    """T-8.2-a, T-8.2-b, T-8.2-c"""
    found = due(datetime.fromisoformat(received), DAYS, load_calendar(None))
    assert found.due_date == date.fromisoformat(last_day)
    midnight = datetime.combine(found.due_date + timedelta(days=1), time(), ALMATY)
    assert found.due_time == midnight


@pytest.fixture(scope="module")
def claimant(site: Site) -> Person:
    """Somebody with many claims that an officer filed, none of which blocks."""
    return site.person()


@pytest.mark.parametrize("days_ago", [0, 1, 6, 13, 20, 27])
@pytest.mark.parametrize("hour", ["18:59:59", "19:00:00"])
def test_a_claim_on_paper_is_due_by_its_local_day_of_receipt(
    claimant: Person, days_ago: int, hour: str
) -> None:
    """T-8.2-a, T-8.2-b, T-8.2-c"""
    day = datetime.now(UTC).date() - timedelta(days=days_ago + 1)
    receipt = datetime.fromisoformat(f"{day}T{hour}+00:00")
    filed = claimant.claim("OTHER", who="claimsOfficer", receipt=receipt)
    claim = filed.json["claim"]
    assert datetime.fromisoformat(claim["receiptTime"]) == receipt
    assert claim["dueDate"] == due_date(receipt).isoformat()
    midnight = datetime.combine(due_date(receipt) + timedelta(days=1), time(), ALMATY)
    assert datetime.fromisoformat(claim["dueTime"]) == midnight
    assert claim["calendarVersion"]


def test_a_claim_filed_now_is_due_by_the_same_rule(person: Person) -> None:
    """T-8.2-a"""
    claim = person.claimed("OTHER")
    received = datetime.fromisoformat(claim["receiptTime"])
    assert claim["dueDate"] == due_date(received).isoformat()


# -- T-8.2-d: what closes a claim ---------------------------------------------------------------


@pytest.mark.parametrize("missing", ["text", "dispatch.channel", "dispatch.time", "dispatch.proof"])
def test_an_answer_without_one_of_its_parts_closes_nothing(person: Person, missing: str) -> None:
    """T-8.2-d"""
    claim_id = person.claimed("OTHER")["claimId"]
    whole = answer()
    part, _, inner = missing.partition(".")
    if inner:
        del whole[part][inner]
    else:
        del whole[part]
    refused = _answer(person, claim_id, whole)
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == (missing,)
    assert _state(person, claim_id) == "RECEIVED"


def test_an_answer_that_is_written_closes_nothing_until_it_has_left(person: Person) -> None:
    """T-8.2-d"""
    claim_id = person.claimed("OTHER")["claimId"]
    whole = answer()
    dispatch = whole.pop("dispatch")
    written = _answer(person, claim_id, whole)
    assert (written.status, written.json["claim"]["state"]) == (200, "ANSWER_WRITTEN")
    assert "answerTime" not in written.json["claim"]
    path = f"/v1/claims/{claim_id}/answer"
    left = person.site.good(
        "claimsOfficer", "POST", f"{path}:recordDispatch", {"dispatch": dispatch}
    )
    assert left.json["claim"]["state"] == "ANSWERED"
    status = person.site.good("claimsOfficer", "GET", f"{path}:status").json["letter"]
    assert (status["channel"], status["sending"]) == ("POST", "NOT_BY_EMAIL")


@pytest.mark.parametrize("blank", ["text", "dispatch.proof"])
def test_an_answer_that_says_nothing_closes_nothing(person: Person, blank: str) -> None:
    """T-8.2-d"""
    claim_id = person.claimed("OTHER")["claimId"]
    whole = answer()
    part, _, inner = blank.partition(".")
    (whole[part] if inner else whole)[inner or part] = " \t "
    refused = _answer(person, claim_id, whole)
    assert (refused.status, refused.fields) == (400, (blank,))
    assert _state(person, claim_id) == "RECEIVED"


def test_an_answer_that_has_not_left_yet_closes_nothing(person: Person) -> None:
    """T-8.2-d"""
    claim_id = person.claimed("OTHER")["claimId"]
    for moment in (timedelta(hours=1), timedelta(days=-1)):
        refused = _answer(person, claim_id, answer(datetime.now(UTC) + moment))
        assert (refused.status, refused.fields) == (400, ("dispatch.time",))
    assert _state(person, claim_id) == "RECEIVED"


def test_an_answer_without_author_closes_nothing(person: Person) -> None:
    """T-8.2-d"""
    claim_id = person.claimed("OTHER")["claimId"]
    for who, status in (("", 401), ("storefront", 403), ("auditor", 403)):
        assert _answer(person, claim_id, answer(), who).status == status
    assert _state(person, claim_id) == "RECEIVED"


def test_an_answer_before_the_verification_closes_nothing(person: Person) -> None:
    """T-8.2-d"""
    claim_id = person.claimed()["claimId"]
    assert is_refused(_answer(person, claim_id, answer()), 409, "STATE_CONFLICT")
    assert _state(person, claim_id) == "RECEIVED"
    assert person.standing()["state"] == "BLOCKED"


def test_an_answer_with_text_author_and_proof_closes_the_claim(person: Person) -> None:
    """T-8.2-d"""
    claim_id = person.claimed()["claimId"]
    person.concluded(claim_id, "NOT_CONFIRMED")
    assert _answer(person, claim_id, answer()).json["claim"]["state"] == "ANSWERED"
    assert _state(person, claim_id) == "ANSWERED"
    assert is_refused(_answer(person, claim_id, answer()), 409, "STATE_CONFLICT")


def _answer(
    person: Person, claim_id: str, body: dict[str, Any], who: str = "claimsOfficer"
) -> Answered:
    return person.site.ask(who, "POST", f"/v1/claims/{claim_id}:answer", body)


def _state(person: Person, claim_id: str) -> str:
    claim = person.site.good("storefront", "GET", f"/v1/claims/{claim_id}").json["claim"]
    return str(claim["state"])


# -- T-8.2-e: no answer in time -----------------------------------------------------------------


def _lapsed(person: Person, kind: str, **more: Any) -> dict[str, Any]:
    """A claim whose term had passed when an officer entered it from paper."""
    receipt = datetime.now(UTC) - timedelta(days=60)
    filed = person.claim(kind, who="claimsOfficer", receipt=receipt, **more)
    assert filed.status in (200, 202), filed.content.decode()
    claim: dict[str, Any] = filed.json["claim"]
    path = f"/v1/claims/{claim['claimId']}"

    def stands() -> dict[str, Any]:
        found: dict[str, Any] = person.site.good("claimsOfficer", "GET", path).json["claim"]
        return found

    wait_until(lambda: stands()["state"] == "NO_ANSWER", "the claim lapses")
    return stands()


def test_a_claim_that_nobody_answers_lapses_and_its_claimant_is_told(person: Person) -> None:
    """T-8.2-e"""
    claim = _lapsed(person, "INACCURATE_DATA", replyAddress="nursultan@example.kz")
    path = f"/v1/claims/{claim['claimId']}/notices"

    def notice() -> dict[str, Any]:
        (found,) = person.site.good("auditor", "GET", path).json["notices"]
        return dict(found)

    wait_until(lambda: notice()["sending"] == "SENT", "the letter leaves")
    assert (notice()["kind"], notice()["channel"]) == ("NO_ANSWER", "EMAIL")
    assert person.standing()["state"] == "BLOCKED"
    assert person.read("IDENTIFY_FOR_ORDER").code == "SUBJECT_BLOCKED"
    court = person.site.good(
        "claimsOfficer",
        "POST",
        f"/v1/claims/{claim['claimId']}:referToCourt",
        {"case": "СМЭС г. Алматы"},
    )
    assert court.json["claim"]["state"] == "COURT"


def test_a_claimant_without_e_mail_is_told_by_an_officer(person: Person) -> None:
    """T-8.2-e"""
    claim = _lapsed(person, "OTHER")
    path = f"/v1/claims/{claim['claimId']}"
    tasks = person.site.good("claimsOfficer", "GET", "/v1/tasks?kind=TELL_NO_ANSWER").json["tasks"]
    assert claim["claimId"] in {task["claimId"] for task in tasks}
    told = person.site.good(
        "claimsOfficer",
        "POST",
        f"{path}/no-answer-notice:recordDispatch",
        {"dispatch": answer()["dispatch"]},
    ).json["notice"]
    assert told["channel"] == "POST"
    tasks = person.site.good("claimsOfficer", "GET", "/v1/tasks?kind=TELL_NO_ANSWER").json["tasks"]
    assert claim["claimId"] not in {task["claimId"] for task in tasks}
