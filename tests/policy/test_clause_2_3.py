# SPDX-License-Identifier: Apache-2.0
"""Clause 2.3: the policy is of one site, and so is everything under it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.conversation import Answered
from services.chassis.ids import new_subject_id, new_uuid
from tests.harness.contacts import new_phone
from tests.policy.partner import partner_asks
from tests.policy.person import Person, is_refused, release
from tests.policy.site import Site

WHO = ("storefront", "claimsOfficer", "privacyOfficer", "auditor")


def test_of_another_sites_person_nothing_can_be_seen(person: Person, own_site: Site) -> None:
    """T-2.3-a"""
    order_id = person.ordered()
    delivery_id = person.assigned(order_id=order_id)
    assert release(person.site, delivery_id).status == 200
    assert release(person.site, delivery_id, "otherCourier").status == 404
    assert len(person.disclosures()) == 2
    person.grant("NEWS")
    claim = person.claim().json
    known = _asked(own_site, person.subject_id, order_id, delivery_id, claim)
    nobodys = {"claim": {"claimId": new_uuid()}, "actId": new_uuid()}
    unknown = _asked(own_site, new_subject_id(), f"{order_id}-x", new_uuid(), nobodys)
    for found, absent in zip(known, unknown, strict=True):
        assert found.content_but_reference == absent.content_but_reference, found.path
        assert found.status == absent.status
        empty = found.path.endswith("/disclosures") and found.json.get("disclosures") == []
        assert found.status in (403, 404) or empty, found.path


def test_of_another_sites_person_nothing_can_be_changed(person: Person, own_site: Site) -> None:
    """T-2.3-a"""
    before = _all_that_stands(person)
    abroad = Person(own_site, person.subject_id)
    for asked in (
        abroad.place({"phone": new_phone()}),
        abroad.reject(),
        abroad.grant("NEWS"),
        abroad.order(),
        abroad.claim(),
    ):
        assert is_refused(asked, 404, "NOT_FOUND")
    assert _all_that_stands(person) == before


def test_a_credential_does_nothing_for_a_site_that_it_does_not_hold(
    person: Person, own_site: Site
) -> None:
    """T-2.3-a"""
    named = {"Qupia-Site": person.site.site_id}
    body = {"purpose": "IDENTIFY_FOR_ORDER"}
    asked = own_site.ask("storefront", "POST", f"{person.path}/data:read", body, named)
    assert is_refused(asked, 403, "PERMISSION_DENIED", "1.1.1")
    asked = own_site.ask("privacyOfficer", "GET", f"{person.path}/consents", None, named)
    assert is_refused(asked, 401, "UNAUTHENTICATED", "1.1.1")


def test_a_site_has_policy_versions_of_its_own(bare_site: Site, own_site: Site) -> None:
    """T-2.3-a"""
    assert own_site.publish().json["policy"]["version"] == 2
    assert bare_site.good("privacyOfficer", "GET", "/v1/policies").json["policies"] == []
    assert is_refused(bare_site.ask("privacyOfficer", "GET", "/v1/policies/1"), 404, "NOT_FOUND")
    assert bare_site.publish().json["policy"]["version"] == 1


def test_a_person_goes_to_a_partners_site_by_consent_only_and_unnamed(
    person: Person, own_site: Site
) -> None:
    """T-2.3-b"""
    refused = person.ask("POST", "/partner-tokens", {})
    assert is_refused(refused, 403, "CONSENT_REQUIRED", "4.1.12")
    assert person.grant("PARTNER_SITES").status == 200
    issued = person.ask("POST", "/partner-tokens", {})
    assert set(issued.json) == {"token", "expireTime"}
    token = {"token": issued.json["token"]}
    abroad = partner_asks(own_site.person(), "POST", "/v1/partner-tokens:redeem", token)
    assert is_refused(abroad, 404, "NOT_AVAILABLE")
    redeemed = partner_asks(person, "POST", "/v1/partner-tokens:redeem", token)
    assert (redeemed.status, set(redeemed.json)) == (200, {"redeemTime"})
    told = (issued.content + redeemed.content).decode()
    for named in (person.subject_id, *(v for v in person.own.values() if isinstance(v, str))):
        assert named not in told


def _all_that_stands(person: Person) -> tuple[object, ...]:
    consents = person.consents()
    return person.data(), consents["acceptance"], consents["consents"], person.standing()


def _asked(
    site: Site, subject_id: str, order_id: str, delivery_id: str, claim: Mapping[str, Any]
) -> Iterator[Answered]:
    """What everybody of a site gets who asks for these."""
    claim_id = claim["claim"]["claimId"]
    subject = f"/v1/subjects/{subject_id}"
    requests: list[tuple[str, str, object]] = [
        ("POST", f"{subject}/data:read", {"purpose": "IDENTIFY_FOR_ORDER"}),
        ("GET", f"{subject}/standing", None),
        ("GET", f"{subject}/consents", None),
        ("GET", f"{subject}/disclosures", None),
        ("GET", f"/v1/orders/{order_id}", None),
        ("GET", f"/v1/claims/{claim_id}", None),
        ("GET", f"/v1/acts/claims/{claim['actId']}", None),
        ("POST", f"/v1/claims/{claim_id}/data:read", {"subjectId": subject_id}),
    ]
    site.recipients  # noqa: B018 - makes the courier's key
    for who in WHO:
        for verb, path, body in requests:
            yield site.ask(who, verb, path, body)
    yield site.ask("courier", "POST", f"/v1/deliveries/{delivery_id}:release", {})
