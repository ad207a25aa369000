# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.10: news, with the user's consent and as long as it lasts."""

from tests.policy.person import CONTACT, Person, is_refused
from tests.policy.records import Records


def test_news_are_read_from_the_consent_to_its_withdrawal(person: Person) -> None:
    """T-4.1.10-a"""
    assert is_refused(person.read("NEWS"), 403, "CONSENT_REQUIRED", "4.1.10")
    assert person.grant("NEWS").json["enforcement"] == "IN_FORCE"
    assert set(person.data("NEWS")) == CONTACT
    assert person.withdraw("NEWS").json["enforcement"] == "IN_FORCE"
    assert is_refused(person.read("NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")


def test_the_very_next_read_after_a_withdrawal_is_refused_every_time(
    person: Person, records: Records
) -> None:
    """T-4.1.10-a"""
    for _ in range(5):
        assert person.grant("NEWS").status == 200
        assert person.read("NEWS").status == 200
        assert person.withdraw("NEWS").status == 200
        assert is_refused(person.read("NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")
    entries = records.entries("vault", person, "data.read")
    assert len([e for e in entries if e["outcome"] == "PERMITTED"]) == 5


def test_withdrawal_is_recorded_even_where_nothing_was_given(person: Person) -> None:
    """T-4.1.10-a"""
    withdrawn = person.withdraw("NEWS").json
    assert (withdrawn["consent"]["purpose"], withdrawn["enforcement"]) == ("NEWS", "IN_FORCE")
    assert is_refused(person.read("NEWS"), 403, "CONSENT_WITHDRAWN", "4.1.10")
