# SPDX-License-Identifier: Apache-2.0
"""What was true then, as known then, at the cost of one event (clause 4.1)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import SubjectBlocked
from services.consent.store_states import LAST_ROWS, LAST_STANCE
from tests.consent.suite import Suite
from tests.consent.test_declarations import grant, paper, withdraw

NEWS, ADVERTISING = subject_pb2.Purpose.NEWS, subject_pb2.Purpose.ADVERTISING
State = consent_pb2.Consent
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def day(number: float) -> datetime:
    return NOON + timedelta(days=number)


def listed(suite: Suite, person: str, at: datetime, known: datetime) -> Any:
    request = consent_pb2.ListConsentsRequest(subject_id=person)
    request.at_time.FromDatetime(at)
    request.known_time.FromDatetime(known)
    return suite.ask(request, consent_pb2.ListConsentsResponse, role="AUDITOR")


def state(suite: Suite, person: str, at: datetime, known: datetime) -> int | None:
    found = {c.purpose: c.state for c in listed(suite, person, at, known).consents}
    return found.get(NEWS)


@pytest.fixture
def person(suite: Suite) -> str:
    """Somebody who registered on day 0."""
    suite.clock.instant = day(-1)
    suite.publish()
    suite.clock.instant = day(0)
    return suite.register().subject_id


def test_the_whole_life_of_a_consent_at_every_time(suite: Suite, person: str) -> None:
    suite.clock.instant = day(1)
    suite.grant(person, NEWS, day(3))
    suite.clock.instant = day(4)
    suite.grant(person, NEWS)
    suite.clock.instant = day(6)
    suite.withdraw(person, NEWS)
    later = day(9)
    expected = {
        0.5: None,
        1.5: State.GIVEN,
        3: State.EXPIRED,
        4.5: State.GIVEN,
        6: State.WITHDRAWN,
        8: State.WITHDRAWN,
    }
    for at, wanted in expected.items():
        assert state(suite, person, day(at), later) == wanted, at
        assert state(suite, person, day(at), day(at) + SECOND) == wanted, at
    # On day 2 nobody knew of the renewal or the withdrawal.
    assert state(suite, person, day(8), day(2)) == State.EXPIRED
    assert state(suite, person, day(8), day(5)) == State.GIVEN
    assert state(suite, person, day(8), day(0.5)) is None


def test_a_paper_is_true_from_its_date_and_known_from_its_entry(suite: Suite, person: str) -> None:
    suite.clock.instant = day(5)
    grant(suite, person, paper(day(2)), role="PRIVACY_OFFICER")
    assert state(suite, person, day(3), day(4)) is None
    assert state(suite, person, day(3), day(6)) == State.GIVEN
    assert state(suite, person, day(1), day(6)) is None
    suite.clock.instant = day(8)
    withdraw(suite, person, paper(day(4)), role="PRIVACY_OFFICER")
    assert state(suite, person, day(4.5), day(7)) == State.GIVEN
    assert state(suite, person, day(4.5), day(9)) == State.WITHDRAWN
    assert state(suite, person, day(3), day(9)) == State.GIVEN


def test_an_earlier_paper_withdrawal_moves_the_end_and_never_hides_the_later(
    suite: Suite, person: str
) -> None:
    suite.clock.instant = day(1)
    suite.grant(person, NEWS)
    suite.clock.instant = day(5)
    suite.withdraw(person, NEWS)
    suite.clock.instant = day(7)
    withdraw(suite, person, paper(day(3)), role="PRIVACY_OFFICER")
    assert state(suite, person, day(4), day(6)) == State.GIVEN
    assert state(suite, person, day(4), day(8)) == State.WITHDRAWN
    assert state(suite, person, day(6), day(8)) == State.WITHDRAWN


def test_what_the_vault_had_not_answered_was_pending(suite: Suite, person: str) -> None:
    suite.clock.instant, suite.vault.absent = day(1), True
    suite.grant(person, NEWS)
    suite.clock.instant, suite.vault.absent = day(3), False
    suite.push_all()
    assert state(suite, person, day(2), day(2)) == State.PENDING
    assert state(suite, person, day(2), day(4)) == State.GIVEN


def test_what_the_vault_refused_was_never_given(suite: Suite, person: str) -> None:
    suite.clock.instant, suite.vault.refusing = day(1), "SUBJECT_BLOCKED"
    with pytest.raises(SubjectBlocked):
        suite.grant(person, NEWS)
    assert state(suite, person, day(2), day(2)) == State.REFUSED
    assert state(suite, person, day(0.5), day(2)) is None


def test_a_version_ends_a_consent_only_where_it_was_known(suite: Suite, person: str) -> None:
    suite.clock.instant = day(1)
    suite.grant(person, NEWS)
    suite.clock.instant = day(2)
    suite.publish(day(5), material=(NEWS,))
    assert state(suite, person, day(6), day(3)) == State.OUTDATED
    assert state(suite, person, day(6), day(1.5)) == State.GIVEN


def test_the_agreement_is_told_at_its_time_too(suite: Suite, person: str) -> None:
    suite.clock.instant = day(2)
    suite.reject(person)
    suite.clock.instant = day(4)
    suite.accept(person)
    mode = consent_pb2.Acceptance
    told = {
        at: listed(suite, person, day(at), day(9)).acceptance.mode for at in (-0.5, 1, 2, 3.9, 4)
    }
    assert told == {
        -0.5: mode.MODE_UNSPECIFIED,
        1: mode.IMPLIED,
        2: mode.DISAGREED,
        3.9: mode.DISAGREED,
        4: mode.EXPRESS,
    }
    assert listed(suite, person, day(4), day(3)).acceptance.mode == mode.DISAGREED


def test_the_answer_names_the_times_it_speaks_of(suite: Suite, person: str) -> None:
    answer = listed(suite, person, day(1), day(2))
    assert (answer.at_time.ToDatetime(UTC), answer.known_time.ToDatetime(UTC)) == (day(1), day(2))


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def test_two_descents_of_an_index_find_it_among_a_hundred_thousand(
    suite: Suite, person: str, analyze: Callable[[str], None]
) -> None:
    """The plan, with 100,000 changes of this very subject: an index each, one row each."""
    for first in range(1, 100_000, 10_000):
        place = {"site": suite.site, "subject": person, "first": first, "start": day(1)}
        for statement in (_MANY, _MANY_STANCES):
            with suite.database.transaction() as connection:
                connection.execute(text(statement), place)
    analyze("consent_states")
    analyze("agreement_states")
    parameters = {
        "site_id": suite.site,
        "subject_id": person,
        "purposes": ["NEWS", "ADVERTISING"],
        "earlier": day(1) + timedelta(seconds=50_000),
        "known": day(1) + timedelta(seconds=60_000),
    }
    for statement, indexes in (
        (LAST_ROWS, {"consent_states_valid", "consent_states_recorded"}),
        (LAST_STANCE, {"agreement_states_valid"}),
    ):
        with suite.database.transaction() as connection:
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            plan = connection.execute(text(explain), parameters).scalar_one()
        plan = json.loads(plan) if isinstance(plan, str) else plan
        scans = [n for n in nodes(plan[0]["Plan"]) if "Relation Name" in n]
        assert {n["Index Name"] for n in scans} == indexes
        for scan in scans:
            assert scan["Actual Rows"] <= 1
            assert scan.get("Rows Removed by Filter", 0) == 0


_MANY = """
INSERT INTO consent_states (site_id, subject_id, purpose, sequence, record_time, valid_time,
                            standing_act)
SELECT :site, :subject, 'NEWS', 1000 + i, CAST(:start AS timestamptz) + i * interval '1 second',
       CAST(:start AS timestamptz) + i * interval '1 second', 'act-' || i
FROM generate_series(CAST(:first AS int), CAST(:first AS int) + 9999) AS i
"""
_MANY_STANCES = """
INSERT INTO agreement_states (site_id, subject_id, sequence, record_time, valid_time, mode,
                              policy_version, policy_sha256, language, time, act_id)
SELECT :site, :subject, 1000 + i, CAST(:start AS timestamptz) + i * interval '1 second',
       CAST(:start AS timestamptz) + i * interval '1 second', 'IMPLIED', 1, '', 'kk', :start, ''
FROM generate_series(CAST(:first AS int), CAST(:first AS int) + 9999) AS i
"""
