# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.12: the click-through token that takes a person to a partner's site."""

from tests.policy.partner import partner_asks
from tests.policy.person import Person, is_refused
from tests.policy.records import Records


def test_a_token_takes_the_person_there_once_and_names_nobody(
    person: Person, records: Records
) -> None:
    """T-4.1.12-a"""
    refused = person.ask("POST", "/partner-tokens", {})
    assert is_refused(refused, 403, "CONSENT_REQUIRED", "4.1.12")
    assert person.grant("PARTNER_SITES").status == 200
    issued = person.ask("POST", "/partner-tokens", {})
    assert issued.status == 200
    token = issued.json["token"]
    for secret in (person.subject_id, *(v for v in person.own.values() if isinstance(v, str))):
        assert secret not in issued.content.decode()
    first = partner_asks(person, "POST", "/v1/partner-tokens:redeem", {"token": token})
    assert (first.status, set(first.json)) == (200, {"redeemTime"})
    again = partner_asks(person, "POST", "/v1/partner-tokens:redeem", {"token": token})
    assert is_refused(again, 404, "NOT_AVAILABLE")
    [entry] = records.entries("consent", person, "partner_token.redeemed")
    assert (entry["clause"], entry["outcome"]) == ("4.1.12", "DONE")


def test_a_partner_can_do_nothing_else(person: Person) -> None:
    """T-4.1.12-a"""
    for verb, path in (
        ("GET", "/v1/policies"),
        ("GET", "/v1/policies:inForce"),
        ("GET", f"{person.path}/consents"),
        ("GET", "/v1/deliveries"),
    ):
        assert is_refused(partner_asks(person, verb, path), 403, "PERMISSION_DENIED")
    read = partner_asks(person, "POST", f"{person.path}/data:read", {"purpose": "PARTNER_SITES"})
    assert is_refused(read, 403, "PERMISSION_DENIED")
