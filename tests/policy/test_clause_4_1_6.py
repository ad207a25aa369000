# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.6: an account, if the user agreed to it."""

from tests.policy.person import Person, is_refused


def test_without_consent_there_is_no_account(person: Person) -> None:
    """T-4.1.6-a"""
    assert is_refused(person.read("ACCOUNT"), 403, "CONSENT_REQUIRED", "4.1.6")


def test_another_consent_makes_no_account(person: Person) -> None:
    """T-4.1.6-a"""
    for purpose in ("NEWS", "ADVERTISING", "PARTNER_SITES"):
        assert person.grant(purpose).status == 200
    assert is_refused(person.read("ACCOUNT"), 403, "CONSENT_REQUIRED", "4.1.6")


def test_with_consent_the_account_has_the_persons_data(person: Person) -> None:
    """T-4.1.6-a"""
    assert person.grant("ACCOUNT").json["consent"]["state"] == "GIVEN"
    assert person.data("ACCOUNT") == person.own
