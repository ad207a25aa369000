# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.4: location for security, from technical data only."""

from tests.policy.person import DATA, Person, is_refused
from tests.policy.visiting import KINDS, visit, visited


def test_security_does_not_learn_where_somebody_lives(person: Person) -> None:
    """T-4.1.4-a"""
    assert person.data("SECURITY_LOCATION") == {}


def test_security_cannot_ask_for_what_the_person_stated(person: Person) -> None:
    """T-4.1.4-a"""
    for field in DATA:
        asked = person.read("SECURITY_LOCATION", fields=[field])
        assert is_refused(asked, 403, "FIELD_NOT_PERMITTED", "6.2.1")


def test_security_reads_the_last_visits_and_nothing_else(person: Person) -> None:
    """T-4.1.4-a"""
    visited(person, visit(ip="203.0.113.9"))
    answer = person.read("SECURITY_LOCATION").json
    assert [set(each) for each in answer["visits"]] == [KINDS]
    assert not answer.get("data")
    assert not answer.get("purchases")
