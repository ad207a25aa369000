# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3: who has the contact of somebody blocked is blocked with them, provisionally."""

import threading
from typing import Any

import pytest

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import blocking_pb2, storing_pb2, vault_pb2
from services.chassis.ids import new_uuid
from tests.harness.contacts import new_email
from tests.harness.waiting import wait_until
from tests.vault.person import Person, settled
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

Data = subject_pb2.PersonalData
SAME, OUTCOME = vault_pb2.Block.SAME_CONTACT, vault_pb2.Block.Outcome


def twin_of(vault: VaultProcess, shop: Storefront, person: Person, **data: Any) -> Person:
    """Another subject with that contact, the same phone if not said otherwise."""
    twin = Person(vault, person.site)
    assert twin.accepts() == "APPLIED"
    placed = Data(given_name="Нұрсұлтан", **(data or {"phone": person.own.phone}))
    shop.store(twin.subject_id, placed, f"twin-{twin.subject_id}")
    return twin


def unknown(vault: VaultProcess, *people: Person) -> dict[str, blocking_pb2.ProvisionalBlock]:
    """What the vault tells the claims service of provisional blocks of these, by subject."""
    caller, token = vault.as_process("claims"), ""
    found: dict[str, blocking_pb2.ProvisionalBlock] = {}
    while True:
        request = blocking_pb2.ListProvisionalBlocksRequest(page_token=token)
        answer: Any = caller.call(request)
        found |= {each.subject_id: each for each in answer.blocks}
        token = answer.next_page_token
        if not token:
            return {p.subject_id: found[p.subject_id] for p in people if p.subject_id in found}


@pytest.mark.parametrize("contact", ["phone", "email"])
def test_whoever_has_the_contact_of_a_blocked_subject_is_blocked_with_them(
    vault: VaultProcess, shop: Storefront, person: Person, house: House, contact: str
) -> None:
    """T-6.2.3-a"""
    guest = twin_of(vault, shop, person, **{contact: getattr(person.own, contact)})
    stranger = settled(vault, shop)
    claim = person.is_blocked()
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    assert shop.why_not(stranger.subject_id) == "OK"
    [told] = unknown(vault, guest, stranger, person).values()
    assert (told.origin_subject_id, told.block.claim_id) == (person.subject_id, claim)
    assert (told.block.origin, told.block.outcome) == (SAME, OUTCOME.OUTCOME_UNSPECIFIED)
    entries = house.entries(event="block.provisional", siteId="demo")
    assert claim in [entry["refs"]["claim_id"] for entry in entries]


@pytest.mark.parametrize("how", ["alone", "in a batch"])
def test_who_is_given_the_contact_of_a_blocked_subject_later_is_blocked_with_them(
    vault: VaultProcess, shop: Storefront, person: Person, how: str
) -> None:
    """T-6.2.3-a"""
    person.is_blocked()
    guest, other = Person(vault), Person(vault)
    assert guest.accepts() == other.accepts() == "APPLIED"
    placed = Data(given_name="Айгерім", phone=person.own.phone)
    if how == "alone":
        shop.store(guest.subject_id, placed, f"late-{guest.subject_id}")
    else:
        items = [
            storing_pb2.StoreItem(subject_id=each.subject_id, data=data)
            for each, data in ((guest, placed), (other, other.own))
        ]
        shop.call(
            storing_pb2.BatchStoreDataRequest(items=items, form="import", request_id=new_uuid())
        )
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    with pytest.raises(Refused, match="SUBJECT_BLOCKED"):
        shop.store(guest.subject_id, Data(given_name="Дана"), f"more-{guest.subject_id}")
    assert shop.why_not(other.subject_id, "IDENTIFY_FOR_ORDER") in ("OK", "NOT_FOUND")
    assert unknown(vault, guest, other).keys() == {guest.subject_id}


@pytest.mark.parametrize("blocked", ["account", "visitor", "another visitor"])
@pytest.mark.parametrize("placed", ["before", "after"])
def test_the_contact_of_every_id_of_a_blocked_person_reaches_who_has_it(
    vault: VaultProcess, shop: Storefront, person: Person, blocked: str, placed: str
) -> None:
    """T-6.2.3-a, T-1.1.5-a"""
    visitor, another, stranger = (settled(vault, shop) for _ in range(3))
    them = {"account": person, "visitor": visitor, "another visitor": another}
    assert visitor.links_to(person) == another.links_to(person) == "APPLIED"
    claims = [them[blocked].is_blocked()] if placed == "after" else []
    guests = [twin_of(vault, shop, each) for each in them.values()]
    [claim] = claims or [them[blocked].is_blocked()]
    assert [shop.why_not(guest.subject_id) for guest in guests] == ["SUBJECT_BLOCKED"] * 3
    assert shop.why_not(stranger.subject_id) == "OK"
    told = unknown(vault, *guests, *them.values())
    assert told.keys() == {guest.subject_id for guest in guests}
    assert {each.origin_subject_id for each in told.values()} == {them[blocked].subject_id}
    # The person's own ids are blocked by the claim itself, and free again with it.
    them[blocked].outcome(claim, "NOT_CONFIRMED")
    assert [shop.why_not(each.subject_id) for each in them.values()] == ["OK"] * 3


def test_a_provisional_block_is_not_lifted_by_the_outcome_of_the_claim(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    """T-6.2.3-c"""
    guest = twin_of(vault, shop, person)
    claim = person.is_blocked()
    person.outcome(claim, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "OK"
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    # Nor does it block those who come later: the claim is over.
    assert shop.why_not(twin_of(vault, shop, person).subject_id) == "OK"


def test_a_provisional_block_reaches_nobody_further(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    bridge = new_email()
    guest = twin_of(vault, shop, person, phone=person.own.phone, email=bridge)
    far = twin_of(vault, shop, guest, email=bridge)
    person.is_blocked()
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    guest.claims.blocks.append(unknown(vault, guest)[guest.subject_id].block)
    guest.push_claims()
    assert shop.why_not(far.subject_id) == "OK"
    assert shop.why_not(twin_of(vault, shop, guest, email=bridge).subject_id) == "OK"


def test_only_the_push_of_its_own_outcome_ends_a_provisional_block(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    """T-6.2.3-c"""
    guest = twin_of(vault, shop, person)
    first, second = person.is_blocked(), person.is_blocked()
    # A push that knows nothing of them loses neither, and raises no alarm.
    alarm = guest.push_claims()
    assert (alarm.verdict, list(alarm.carried)) == (vault_pb2.SliceReceipt.APPLIED, [])
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    told = unknown(vault, guest)
    assert told.keys() == {guest.subject_id}
    for claim in (first, second):
        guest.claims.blocks.add(
            claim_id=claim,
            since_time=told[guest.subject_id].block.since_time,
            recorded_time=told[guest.subject_id].block.recorded_time,
            ground=vault_pb2.Block.INACCURATE_DATA,
            origin=SAME,
        )
    guest.push_claims()
    assert unknown(vault, guest) == {}
    guest.outcome(first, "RELEASED")
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    guest.outcome(second, "RELEASED")
    assert shop.why_not(guest.subject_id) == "OK"
    # The claim still stands, and what was released is not blocked again by it.
    person.push_claims()
    assert shop.why_not(guest.subject_id) == "OK"


def test_a_claims_service_that_was_set_back_hears_of_it_again_and_unblocks_nobody(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    guest = twin_of(vault, shop, person)
    claim = person.is_blocked()
    block = unknown(vault, guest)[guest.subject_id].block
    guest.claims.blocks.append(block)
    guest.push_claims()
    assert unknown(vault, guest) == {}
    del guest.claims.blocks[:]
    guest.push_claims()
    assert shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED"
    assert unknown(vault, guest)[guest.subject_id].block.claim_id == claim


def test_a_contact_of_very_many_is_nobodys_and_blocks_nobody(
    vault: VaultProcess, shop: Storefront, house: House
) -> None:
    person = settled(vault, shop)
    number = 101
    people = [Person(vault) for _ in range(number)]
    for each in people:
        assert each.accepts() == "APPLIED"
    items = [
        storing_pb2.StoreItem(subject_id=p.subject_id, data=Data(phone=person.own.phone))
        for p in people
    ]
    shop.call(storing_pb2.BatchStoreDataRequest(items=items, form="import", request_id=new_uuid()))
    claim = person.is_blocked()
    assert shop.why_not(people[0].subject_id) == "OK"
    [entry] = [
        e for e in house.entries(event="block.contact_of_many") if e["refs"]["claim_id"] == claim
    ]
    assert entry["decidedOn"] == {"field": "phone", "sharing": number}


def test_a_vault_killed_between_the_block_and_the_search_finds_everybody_when_it_is_back(
    own_house: House,
) -> None:
    living = own_house.start()
    own_house.open(living)
    shop = Storefront(living.as_process("gateway"))
    person = settled(living, shop)
    guest = twin_of(living, shop, person)
    living.stop()
    dying = own_house.start("tests.vault.dying_vault:main")
    person.vault = dying
    with pytest.raises(AssertionError, match=r"no typed refusal: StatusCode\.UNAVAILABLE"):
        person.is_blocked()
    assert dying.exit_code() == -9
    back = own_house.start()
    shop = Storefront(back.as_process("gateway"))
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    wait_until(
        lambda: shop.why_not(guest.subject_id) == "SUBJECT_BLOCKED",
        "nobody looked for the contact again",
    )


def test_two_who_share_a_contact_and_are_blocked_at_once_wait_for_nobody(
    vault: VaultProcess, shop: Storefront
) -> None:
    for _ in range(5):
        one = settled(vault, shop)
        two = twin_of(vault, shop, one)
        results: list[object] = []

        def block(person: Person) -> None:
            results.append(person.is_blocked())  # noqa: B023 - joined below

        threads = [threading.Thread(target=block, args=(p,)) for p in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 2
        assert {p.subject_id for p in (one, two)} == unknown(vault, one, two).keys()
        assert shop.why_not(one.subject_id) == shop.why_not(two.subject_id) == "SUBJECT_BLOCKED"


def test_who_is_given_a_contact_while_it_is_being_blocked_is_never_missed(
    vault: VaultProcess, shop: Storefront
) -> None:
    for _ in range(8):
        person = settled(vault, shop)
        guests = [Person(vault) for _ in range(3)]
        for guest in guests:
            assert guest.accepts() == "APPLIED"
        barrier = threading.Barrier(len(guests) + 1)

        def place(guest: Person) -> None:
            barrier.wait()  # noqa: B023 - joined below
            placed = Data(phone=person.own.phone)  # noqa: B023
            shop.store(guest.subject_id, placed, f"race-{guest.subject_id}")

        threads = [threading.Thread(target=place, args=(guest,)) for guest in guests]
        for thread in threads:
            thread.start()
        barrier.wait()
        person.is_blocked()
        for thread in threads:
            thread.join()
        assert {shop.why_not(g.subject_id) for g in guests} == {"SUBJECT_BLOCKED"}
