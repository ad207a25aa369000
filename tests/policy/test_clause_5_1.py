# SPDX-License-Identifier: Apache-2.0
"""Clause 5.1: no term is promised, and none runs out in silence."""

from datetime import UTC, datetime, timedelta

import pytest

from services.vault.decide import Life, Operation, Permit, Question, decide
from services.vault.policy_schedule import PolicySchedule, PolicyTerm
from services.vault.standing import ConsentStanding, Standing
from tests.policy.person import CONTACT, Person
from tests.policy.records import Records

YEARS = (1, 5, 30, 73)
_AGE = "store_time = store_time - interval '73 years'"


@pytest.mark.parametrize("years", YEARS)
def test_the_gate_permits_after_years_what_it_permits_today(years: int) -> None:
    """T-5.1-a"""
    accepted = datetime(2026, 1, 1, tzinfo=UTC)
    standing = Standing(ConsentStanding(1, accepted, None, (), None), None, None)
    schedule = PolicySchedule((PolicyTerm(1, accepted, frozenset()),))
    for purpose in ("IDENTIFY_FOR_ORDER", "PERSONAL_RESOURCES", "SECURITY_LOCATION"):
        question = Question(Operation.READ, purpose)
        now = decide(question, Life.PRESENT, standing, schedule, accepted)
        later = accepted + timedelta(days=366 * years)
        assert isinstance(now, Permit)
        assert decide(question, Life.PRESENT, standing, schedule, later) == now


def test_data_that_have_lain_for_decades_are_there(person: Person, records: Records) -> None:
    """T-5.1-a"""
    values = {"p": person.subject_id}
    person.grant("ACCOUNT")
    records.change("vault", f"UPDATE data SET {_AGE} WHERE subject_id=:p", **values)
    sql = "UPDATE subjects SET create_time = create_time - interval '73 years' WHERE subject_id=:p"
    records.change("vault", sql, **values)
    assert set(person.data()) == CONTACT
    assert person.data("ACCOUNT") == person.own
    assert person.standing()["state"] == "ACTIVE"
