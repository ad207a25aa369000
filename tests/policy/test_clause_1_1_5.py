# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.5: whoever uses the site is a user, registered or not."""

from tests.policy.person import is_refused
from tests.policy.records import Records
from tests.policy.site import Site


def test_a_visitor_without_account_is_a_subject_by_a_random_name(
    site: Site, records: Records
) -> None:
    """T-1.1.5-a"""
    visitors = [site.person() for _ in range(3)]
    assert len({visitor.subject_id for visitor in visitors}) == len(visitors)
    for visitor in visitors:
        assert len(bytes.fromhex(visitor.subject_id)) == 16
        assert visitor.consents()["acceptance"]["mode"] == "IMPLIED"
        assert is_refused(visitor.read("ACCOUNT"), 403, "CONSENT_REQUIRED", "4.1.6")
        [entry] = records.entries("consent", visitor, "subject.registered")
        assert entry["subject"] != visitor.subject_id
