# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.4: confidentiality; a consent opens nothing to those whom 5.2 and 5.3 do not name."""

import pytest

from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site


@pytest.fixture
def consenting(site: Site) -> Person:
    """Somebody who has consented to all that can be consented to."""
    person = site.person(DATA)
    for purpose in ("ACCOUNT", "NEWS", "ADVERTISING", "PARTNER_SITES"):
        assert person.grant(purpose).json["enforcement"] == "IN_FORCE"
    return person


def test_a_partner_gets_nothing_even_with_the_persons_consent(
    consenting: Person, records: Records
) -> None:
    """T-1.1.4-a"""
    site = consenting.site
    delivery_id = consenting.assigned()
    refused = release(site, delivery_id, site.stranger())
    assert is_refused(refused, 404, "NOT_AVAILABLE")
    [line] = consenting.disclosures()
    assert (line["outcome"], line["reason"]) == ("REFUSED", "RECIPIENT_NOT_PERMITTED")
    assert line["clause"] == "6.2.2"
    assert records.refusals("disclosure", consenting, "delivery.released") == [
        ("RECIPIENT_NOT_PERMITTED", "6.2.2")
    ]
    assert release(site, delivery_id).status == 200


def test_a_recipient_whom_nobody_has_activated_gets_nothing_either(consenting: Person) -> None:
    """T-1.1.4-a"""
    site = consenting.site
    site.admit("waiting", site.registered())
    delivery_id = consenting.assigned()
    assert is_refused(release(site, delivery_id, "waiting"), 404, "NOT_AVAILABLE")
    assert consenting.disclosures()[0]["reason"] == "RECIPIENT_NOT_PERMITTED"


@pytest.mark.parametrize("purpose", ["PARTNER_SITES", "NEWS", "ADVERTISING"])
def test_no_purpose_lets_a_partner_read(consenting: Person, purpose: str) -> None:
    """T-1.1.4-a"""
    site = consenting.site
    asked = consenting.ask("POST", "/data:read", {"purpose": purpose}, who=site.stranger())
    assert is_refused(asked, 403, "PERMISSION_DENIED", "1.1.1")
