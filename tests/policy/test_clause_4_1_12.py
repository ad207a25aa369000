# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.12: access for the user to partners' sites, not data for partners."""

from tests.policy.person import Person, is_refused, release


def test_a_partner_gets_no_data_by_the_persons_consent(person: Person) -> None:
    """T-4.1.12-a"""
    assert person.grant("PARTNER_SITES").json["enforcement"] == "IN_FORCE"
    delivery_id = person.assigned()
    partner = person.site.stranger()
    assert is_refused(release(person.site, delivery_id, partner), 404, "NOT_AVAILABLE")
    line = person.disclosures()[0]
    assert (line["reason"], line["clause"]) == ("RECIPIENT_NOT_PERMITTED", "6.2.2")


def test_the_consent_opens_no_data_to_the_storefront_either(person: Person) -> None:
    """T-4.1.12-a"""
    assert is_refused(person.read("PARTNER_SITES"), 403, "CONSENT_REQUIRED", "4.1.12")
    assert person.grant("PARTNER_SITES").status == 200
    assert person.data("PARTNER_SITES") == {}
