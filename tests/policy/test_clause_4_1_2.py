# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.2: access to personal resources."""

from tests.policy.person import Person, is_refused


def test_who_is_blocked_has_no_personal_resources(person: Person) -> None:
    """T-4.1.2-a"""
    assert set(person.data("PERSONAL_RESOURCES")) >= {"givenName", "email"}
    person.claimed()
    assert is_refused(person.read("PERSONAL_RESOURCES"), 409, "SUBJECT_BLOCKED", "6.2.3")
