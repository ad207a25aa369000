# SPDX-License-Identifier: Apache-2.0
"""Finding by a contact and checking permissions, through a real vault (clauses 3.2.3, 4.1.1)."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import search_pb2
from services.vault.decide import RULES_VERSION
from tests.harness.contacts import new_phone
from tests.vault.person import Person
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request

Officer = Callable[[Message], Any]


@pytest.fixture
def email(shop: Storefront, person: Person) -> str:
    """An address that only the person has."""
    address = f"Aa-{secrets.token_hex(8)}@example.kz"
    data = subject_pb2.PersonalData(email=address)
    shop.store(person.subject_id, data, f"email-{person.subject_id}")
    return address


@pytest.fixture
def officer(vault: VaultProcess, house: House) -> Officer:
    """Asks as a claims officer."""
    metadata = (("authorization", f"Bearer {house.premises.token()}"),)
    return lambda request: vault.as_process("gateway").call(request, metadata)


def find(shop: Storefront, **contact: str) -> list[str]:
    """Whom a storefront finds."""
    return list(shop.call(search_pb2.FindSubjectsRequest(**contact)).subject_ids)


def test_a_storefront_finds_a_person_by_either_contact_as_it_is_written_anywhere(
    shop: Storefront, person: Person, email: str
) -> None:
    assert find(shop, email=email) == [person.subject_id]
    assert find(shop, email=email.replace("example.kz", "EXAMPLE.KZ")) == [person.subject_id]
    assert find(shop, email=email.lower()) == [], "the local part is looked up exactly"
    phone = new_phone()
    shop.store(person.subject_id, subject_pb2.PersonalData(phone=phone), "phone-" + phone)
    for spelled in (phone, "8" + phone[2:], phone[2:], f"+7 {phone[2:5]} {phone[5:]}"):
        assert find(shop, phone=spelled) == [person.subject_id]


def test_an_old_contact_leads_nowhere(shop: Storefront, person: Person, email: str) -> None:
    shop.store(person.subject_id, subject_pb2.PersonalData(email=f"x{email}"), "new-" + email)
    assert find(shop, email=email) == []
    assert find(shop, email=f"x{email}") == [person.subject_id]


@pytest.mark.parametrize("held", ["blocked", "disagreed", "restricted"])
def test_whom_a_storefront_may_not_read_it_finds_no_more_than_the_absent(
    shop: Storefront, person: Person, email: str, house: House, officer: Officer, held: str
) -> None:
    if held == "disagreed":
        person.disagrees()
    else:
        claim = person.is_blocked()
        if held == "restricted":
            person.outcome(claim, "UNLAWFUL_CONFIRMED")
    asking = {name: Storefront(shop.gateway, name=f"{name}-{email}") for name in ("held", "absent")}
    answers = {
        name: caller.call(search_pb2.FindSubjectsRequest(email=contact)).SerializeToString()
        for (name, caller), contact in zip(asking.items(), (email, f"absent-{email}"), strict=True)
    }
    assert answers["held"] == answers["absent"]
    traces = []
    for caller in asking.values():
        [entry] = house.entries(principal=f"key/{caller.name}")
        assert (entry["outcome"], entry["reason"]) == ("REFUSED", "NOT_FOUND")
        traces.append({k: v for k, v in entry.items() if k not in _VARYING})
    assert traces[0] == traces[1]
    request = search_pb2.FindSubjectsRequest(email=email, reference="claim-1")
    assert list(officer(request).subject_ids) == [person.subject_id]


_LEFT = "SELECT count(*)::int, sum(count)::int FROM refusal_tallies"
_VARYING = ("entryId", "principal", "recordTime")


def test_absent_and_held_back_are_counted_as_one_refusal(own_house: House) -> None:
    process = own_house.start()
    own_house.open(process)
    site = Storefront(process.as_process("gateway"))
    person = Person(process)
    assert person.accepts() == "APPLIED"
    site.store(person.subject_id, subject_pb2.PersonalData(email="held@example.kz"), "k1")
    person.is_blocked()
    left = []
    for email in ("nobody@example.kz", "held@example.kz", "nobody@example.kz"):
        assert find(site, email=email) == []
        left.append(own_house.rows(_LEFT))
    assert left == [[(1, 1)], [(1, 2)], [(1, 3)]]


def test_a_key_without_the_purpose_finds_nobody(
    vault: VaultProcess, email: str, house: House
) -> None:
    name = f"mailing-{secrets.token_hex(4)}"
    mailing = Storefront(vault.as_process("gateway"), name=name, purposes=("NEWS",))
    with pytest.raises(Refused, match="PURPOSE_NOT_GRANTED"):
        find(mailing, email=email)
    [entry] = house.entries(principal=f"key/{name}")
    assert (entry["reason"], entry["clause"]) == ("PURPOSE_NOT_GRANTED", "6.2.1")


def test_an_officer_needs_a_case(officer: Officer, email: str) -> None:
    with pytest.raises(Refused, match="REFERENCE_REQUIRED") as caught:
        officer(search_pb2.FindSubjectsRequest(email=email))
    assert caught.value.clause == "6.2.3"


def test_another_site_finds_nobody_by_the_same_contact(vault: VaultProcess, email: str) -> None:
    stranger = Storefront(vault.as_process("gateway"), site="other", name="stranger")
    assert find(stranger, email=email) == []


def test_everyone_found_has_an_entry_that_holds_no_contact(
    shop: Storefront, person: Person, email: str, house: House
) -> None:
    name = f"finder-{secrets.token_hex(4)}"
    find(Storefront(shop.gateway, name=name), email=email)
    [entry] = house.entries(principal=f"key/{name}")
    assert (entry["event"], entry["outcome"], entry["clause"]) == (
        "subjects.found",
        "PERMITTED",
        "4.1.1",
    )
    assert entry["subject"]
    assert entry["refs"] == {"purpose": "IDENTIFY_FOR_ORDER"}
    assert email not in str(entry)
    assert person.subject_id not in str(entry)


@pytest.mark.parametrize(
    ("contact", "wrong"),
    [
        ({}, ("email", "required")),
        ({"email": "nobody"}, ("email", "EMAIL_MALFORMED")),
        ({"phone": "Абай"}, ("phone", "PHONE_MALFORMED")),
        ({"email": ""}, ("email", "EMPTY")),
    ],
)
def test_a_malformed_contact_is_refused_by_its_field(
    shop: Storefront, contact: dict[str, str], wrong: tuple[str, str]
) -> None:
    with pytest.raises(Refused) as caught:
        find(shop, **contact)
    assert caught.value.fields == (wrong,)


def test_finding_is_behind_the_budget_of_refusals(own_house: House) -> None:
    process = own_house.start(refusals_per_minute=3)
    own_house.open(process)
    curious = Storefront(process.as_process("gateway"))
    reasons = []
    for number in range(8):
        try:
            find(curious, email=f"guess{number}@example.kz")
            reasons.append("OK")
        except Refused as refusal:
            reasons.append(refusal.reason)
    assert "BUDGET_EXHAUSTED" in reasons[3:]


def test_a_check_answers_as_the_reads_would_and_opens_nothing(
    shop: Storefront, people: Callable[[int], list[Person]], house: House
) -> None:
    one, blocked = people(2)
    blocked.is_blocked()
    asked = [
        read_request(one.subject_id),
        read_request(blocked.subject_id),
        read_request(one.subject_id, "NEWS"),
        read_request("f" * 32),
        read_request(one.subject_id, fields=["phone"]),
    ]
    name = f"check-{secrets.token_hex(4)}"
    caller = Storefront(shop.gateway, name=name)
    with_damage = (
        "UPDATE data SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1) "
        "WHERE subject_id = %s"
    )
    with house.owner() as owner:
        owner.execute(with_damage, (one.subject_id,))
        outcomes = caller.call(search_pb2.CheckPermissionsRequest(items=asked)).outcomes
        owner.execute(with_damage, (one.subject_id,))
    reads = [_reason(o) for o in caller.batch(*asked)]
    assert [_reason(o) for o in outcomes] == reads
    assert reads == ["OK", "SUBJECT_BLOCKED", "CONSENT_REQUIRED", "NOT_FOUND", "OK"]
    assert list(outcomes[4].permission.fields) == ["phone"]
    assert list(outcomes[0].permission.fields) == sorted(
        ["familyName", "givenName", "patronymic", "phone", "email"]
    )
    [entry] = house.entries(principal=f"key/{name}", event="permissions.checked")
    assert entry["decidedOn"] == {
        "rulesVersion": RULES_VERSION,
        "asked": 5,
        "permitted": 2,
        "refused": {"CONSENT_REQUIRED": 1, "NOT_FOUND": 1, "SUBJECT_BLOCKED": 1},
    }
    assert "subject" not in entry


def test_a_check_of_a_thousand_is_answered_whole(shop: Storefront, person: Person) -> None:
    items = [read_request(person.subject_id)] * 999 + [read_request("0" * 32)]
    outcomes = shop.call(search_pb2.CheckPermissionsRequest(items=items)).outcomes
    assert [_reason(o) for o in outcomes] == ["OK"] * 999 + ["NOT_FOUND"]
    with pytest.raises(Refused) as caught:
        shop.call(search_pb2.CheckPermissionsRequest(items=[*items, items[0]]))
    assert caught.value.fields == (("items", "max_items"),)


def _reason(outcome: Any) -> str:
    if outcome.WhichOneof("outcome") != "problem":
        return "OK"
    return contract_pb2.Refusal.Reason.Name(outcome.problem.code)
