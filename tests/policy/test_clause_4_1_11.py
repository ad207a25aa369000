# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.11: advertising, with a consent of its own."""

from tests.policy.person import CONTACT, Person, is_refused


def test_consent_to_news_is_no_consent_to_advertising(person: Person) -> None:
    """T-4.1.11-a"""
    assert person.grant("NEWS").status == 200
    assert is_refused(person.read("ADVERTISING"), 403, "CONSENT_REQUIRED", "4.1.11")
    assert person.grant("ADVERTISING").status == 200
    assert set(person.data("ADVERTISING")) == CONTACT


def test_withdrawing_news_leaves_advertising_as_it_is(person: Person) -> None:
    """T-4.1.11-a"""
    for purpose in ("NEWS", "ADVERTISING"):
        assert person.grant(purpose).status == 200
    assert person.withdraw("NEWS").status == 200
    assert person.read("ADVERTISING").status == 200
