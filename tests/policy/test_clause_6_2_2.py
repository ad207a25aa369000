# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.2: nothing is disclosed but under 5.2 and 5.3, consent or not."""

from collections.abc import Mapping

import pytest

from services.chassis.ids import new_uuid
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.site import Site, recipient

KINDS: Mapping[str, str] = {"COURIER": "courier", "POSTAL": "post", "TELECOM": "telecom"}
OTHERS = ("PARTNER", "BANK", "INSURER", "ADVERTISER", "STATE_BODY")
# What stands behind a request; only the first is clause 5.2.
GROUNDS = ("assigned order", "another's order", "closed order", "consent", "order without delivery")
PAYLOAD = {"fields"}


@pytest.fixture(scope="module")
def consenting(site: Site) -> Person:
    """Somebody with every consent there is."""
    person = site.person(DATA)
    for purpose in ("ACCOUNT", "NEWS", "ADVERTISING", "PARTNER_SITES", "AUTOMATED_DECISION"):
        assert person.grant(purpose).status == 200
    return person


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_recipients_of_5_2_are_let_through_by_their_order_alone(
    consenting: Person, kind: str, ground: str
) -> None:
    """T-6.2.2-a"""
    who = KINDS[kind]
    order_id, other = consenting.ordered(), "otherCourier" if who == "courier" else "courier"
    delivery_id = {
        "assigned order": lambda: consenting.assigned(who, order_id),
        "another's order": lambda: consenting.assigned(other, order_id),
        "closed order": lambda: _closed(consenting, consenting.assigned(who, order_id), order_id),
        "consent": lambda: consenting.assigned(other),
        # Nobody has it to deliver, so there is no delivery to ask for.
        "order without delivery": new_uuid,
    }[ground]()
    asked = release(consenting.site, delivery_id, who)
    if ground == "assigned order":
        assert asked.status == 200
    else:
        assert is_refused(asked, 404, "NOT_AVAILABLE")


@pytest.mark.parametrize("kind", OTHERS)
def test_nobody_else_can_be_a_recipient_at_all(site: Site, kind: str) -> None:
    """T-6.2.2-a"""
    refused = site.ask("privacyOfficer", "POST", "/v1/recipients", {"recipient": recipient(kind)})
    assert (refused.status, refused.fields) == (400, ("recipient.kind",))


@pytest.mark.parametrize("who", ["storefront", "privacyOfficer", "claimsOfficer", "auditor", ""])
def test_nobody_but_a_recipient_releases_anything(consenting: Person, who: str) -> None:
    """T-6.2.2-a"""
    asked = release(consenting.site, consenting.assigned(), who)
    assert asked.status == (403 if who else 401)


def test_a_recipient_is_let_in_by_two_different_people(own_site: Site) -> None:
    """T-6.2.2-a"""
    person = own_site.person(DATA)
    recipient_id = own_site.registered()
    path = f"/v1/recipients/{recipient_id}:activate"
    same = own_site.ask("privacyOfficer", "POST", path, {})
    assert is_refused(same, 409, "AWAITING_SECOND_APPROVAL", "6.2.2")
    assigning = f"/v1/orders/{person.ordered()}:assign"
    assigned = own_site.ask("storefront", "POST", assigning, {"recipientId": recipient_id})
    assert is_refused(assigned, 404, "NOT_FOUND")
    own_site.good("secondPrivacyOfficer", "POST", path, {})
    own_site.good("storefront", "POST", assigning, {"recipientId": recipient_id})


def test_a_refusal_stands_in_the_ledger_like_a_release_but_without_payload(
    person: Person,
) -> None:
    """T-6.2.2-b"""
    delivery_id = person.assigned()
    assert release(person.site, delivery_id).status == 200
    assert is_refused(release(person.site, delivery_id, "otherCourier"), 404, "NOT_AVAILABLE")
    person.claimed()
    assert is_refused(release(person.site, delivery_id), 404, "NOT_AVAILABLE")
    blocked, mismatch, released = person.disclosures()
    assert released["outcome"] == "RELEASED"
    for refusal in (blocked, mismatch):
        assert refusal["outcome"] == "REFUSED"
        assert refusal["fields"] == []
        assert set(refusal) - {"reason", "rule"} == set(released)
        for name in ("recipientKind", "orderId", "deliveryId"):
            assert refusal[name] == released[name]
    assert mismatch["recipientId"] == person.site.recipients["otherCourier"]
    assert [blocked["reason"], mismatch["reason"]] == [
        "SUBJECT_BLOCKED",
        "ORDER_RECIPIENT_MISMATCH",
    ]


def test_refusals_that_repeat_are_counted_and_none_is_lost(person: Person) -> None:
    """T-6.2.2-b"""
    delivery_id = person.assigned()
    for _ in range(5):
        release(person.site, delivery_id, "otherCourier")
    # At the turn of a minute there are two lines.
    assert sum(line["count"] for line in person.disclosures()) == 5


def test_refusals_by_different_rules_are_different_lines(own_site: Site) -> None:
    """T-6.2.2-b"""
    person = own_site.person(DATA)
    delivery_id, courier = person.assigned(), own_site.recipients["courier"]
    path = f"/v1/recipients/{courier}"
    own_site.good("privacyOfficer", "POST", f"{path}:suspend", {})
    release(own_site, delivery_id)
    lapsed = {"terms": {"agreement": "ДГ-1", "beginDate": "2026-01-01", "endDate": "2026-01-02"}}
    own_site.good("privacyOfficer", "POST", f"{path}:renew", lapsed)
    own_site.good("secondPrivacyOfficer", "POST", f"{path}:activate", {})
    release(own_site, delivery_id)
    rules = {line["rule"]: line["clause"] for line in person.disclosures()}
    assert rules == {"recipient-suspended": "6.2.2", "agreement-lapsed": "5.2"}


def _closed(person: Person, delivery_id: str, order_id: str) -> str:
    person.site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    return delivery_id
