# SPDX-License-Identifier: Apache-2.0
"""Slices pushed together: each stands for itself, exactly as if it had come alone (6.2.3)."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from qupia.vault.v1 import pushes_pb2, vault_pb2
from services.chassis.ids import new_uuid
from services.vault.store import lock_key
from tests.chaos.steps import held_commits_at
from tests.vault.ending import Officer, pseudonym
from tests.vault.person import Person, at, settled, verdict_of
from tests.vault.test_same_contact import twin_of, unknown
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Caller, Refused, Storefront

Receipt = vault_pb2.SliceReceipt
Request = vault_pb2.ApplyClaimsSliceRequest
People = Callable[[int], list[Person]]
NOT_NOW = Receipt.VERDICT_UNSPECIFIED


@pytest.fixture
def claims(vault: VaultProcess) -> Caller:
    """The claims service."""
    return vault.as_process("claims")


def blocked(person: Person, **header: Any) -> Request:
    """The push of one more block of a person."""
    person.claims.blocks.add(
        claim_id=new_uuid(), since_time=at(), recorded_time=at(), ground=1, origin=1
    )
    request = Request(header=person.header(person.vault.as_process("claims")), slice=person.claims)
    request.header.MergeFrom(vault_pb2.SliceHeader(**header))
    return request


def push(caller: Caller, requests: Sequence[Request], **how: Any) -> list[vault_pb2.SliceReceipt]:
    """The receipts, in the order of the pushes. Raises Refused."""
    answer = caller.call(pushes_pb2.ApplyClaimsSlicesRequest(pushes=requests), **how)
    assert isinstance(answer, pushes_pb2.ApplyClaimsSlicesResponse)
    return list(answer.receipts)


def verdicts(receipts: Sequence[vault_pb2.SliceReceipt]) -> list[str]:
    """Their names."""
    return [Receipt.Verdict.Name(each.verdict) for each in receipts]


@contextmanager
def reading(house: House, person: Person) -> Iterator[None]:
    """Somebody reads a person for as long as this is open."""
    with house.owner() as session:
        key = lock_key(person.site, person.subject_id)
        session.execute("SELECT pg_advisory_lock_shared(%s)", (key,))
        yield


def test_each_push_has_the_receipt_that_it_would_have_had_alone(
    claims: Caller, vault: VaultProcess, people: People, shop: Storefront
) -> None:
    fresh, repeated, late, other, elsewhere, gone = people(6)
    coming = Person(vault)
    again, first = blocked(repeated), blocked(late)
    second = blocked(late)
    changed = Request()
    changed.CopyFrom(blocked(other))
    for request in (again, second, changed):
        assert claims.call(request).receipt.verdict == Receipt.APPLIED
    changed.slice.blocks[0].claim_id = new_uuid()
    Officer(vault).destroys(gone.subject_id)
    alarms = vault.metric("qupia_alarms_total", kind="slice_conflict")
    batch = {
        "APPLIED": blocked(fresh),
        "REPEAT": again,
        "STALE": first,
        "CONFLICT": changed,
        "NEEDS_ALL": blocked(elsewhere, vault_incarnation=new_uuid()),
        "SUBJECT_DESTROYED": blocked(gone),
    }
    together = push(claims, [*batch.values(), blocked(coming)])
    assert verdicts(together) == [*batch, "APPLIED"]
    assert vault.metric("qupia_alarms_total", kind="slice_conflict") == alarms + 1
    assert shop.why_not(fresh.subject_id) == "SUBJECT_BLOCKED"
    assert shop.why_not(elsewhere.subject_id) == "OK"
    # A block that comes before its person waits for it.
    assert coming.accepts() == "APPLIED"
    assert shop.why_not(coming.subject_id) == "SUBJECT_BLOCKED"
    # The same pushes again, together and alone: whatever is settled is answered alike.
    alone = [claims.call(each).receipt for each in batch.values()]
    repeated_together = push(claims, list(batch.values()))
    assert verdicts(alone) == ["REPEAT", *list(batch)[1:]]
    for one, many in zip(alone, repeated_together, strict=True):
        one.ClearField("apply_time")
        many.ClearField("apply_time")
        assert one == many


def test_of_every_subject_there_is_one_entry(claims: Caller, people: People, house: House) -> None:
    """T-1.1.3-a"""
    them = people(3)
    conflicting = blocked(them[2])
    push(claims, [conflicting])
    conflicting.slice.blocks[0].claim_id = new_uuid()
    push(claims, [blocked(them[0]), blocked(them[1]), conflicting])
    told = []
    for person in them:
        found = house.entries(event="claims_slice.applied", subject=pseudonym(house, person))
        assert {each["verb"] for each in found} == {"BLOCK"}
        assert {each["principal"] for each in found} == {"process/claims"}
        told.append([(e["refs"]["verdict"], e["refs"]["version"][-2:]) for e in found])
    assert told == [
        [("APPLIED", "/1")],
        [("APPLIED", "/1")],
        [("APPLIED", "/1"), ("CONFLICT", "/1")],
    ]


def test_a_push_whose_person_somebody_holds_is_not_taken_now_and_holds_up_no_other(
    claims: Caller, people: People, shop: Storefront, house: House
) -> None:
    before, held, after = people(3)
    requests = [blocked(each) for each in (before, held, after)]
    with reading(house, held):
        receipts = push(claims, requests)
        assert verdicts(receipts) == ["APPLIED", "VERDICT_UNSPECIFIED", "APPLIED"]
        assert receipts[1] == Receipt()
        assert shop.why_not(after.subject_id) == "SUBJECT_BLOCKED"
    assert shop.why_not(held.subject_id) == "OK"
    assert verdicts(push(claims, requests)) == ["REPEAT", "APPLIED", "REPEAT"]
    assert shop.why_not(held.subject_id) == "SUBJECT_BLOCKED"


def test_many_who_are_held_do_not_use_up_the_time_of_the_call(
    claims: Caller, people: People, house: House
) -> None:
    free, *held = people(5)
    requests = [blocked(each) for each in (*held, free)]
    with house.owner() as session:
        for each in held:
            key = lock_key(each.site, each.subject_id)
            session.execute("SELECT pg_advisory_lock_shared(%s)", (key,))
        assert verdicts(push(claims, requests, seconds=2.0)) == [
            *["VERDICT_UNSPECIFIED"] * 4,
            "APPLIED",
        ]


def test_a_push_that_fails_by_itself_spoils_no_other(
    claims: Caller, people: People, shop: Storefront, house: House
) -> None:
    before, wrong, after = people(3)
    request = blocked(wrong)
    # A correction that nobody staged: written, the block would end and the data stay wrong.
    request.slice.blocks[0].outcome = vault_pb2.Block.INACCURATE_CONFIRMED
    request.slice.blocks[0].correction_id = new_uuid()
    receipts = push(claims, [blocked(before), request, blocked(after)])
    assert verdicts(receipts) == ["APPLIED", "VERDICT_UNSPECIFIED", "APPLIED"]
    standing = [shop.why_not(each.subject_id) for each in (before, wrong, after)]
    assert standing == ["SUBJECT_BLOCKED", "OK", "SUBJECT_BLOCKED"]
    query = "SELECT count(*) FROM slices WHERE topic = 'claims' AND subject_id = %s"
    assert house.rows(query, wrong.subject_id) == [(0,)]
    assert house.entries(event="claims_slice.applied", subject=pseudonym(house, wrong)) == []


def test_the_blocks_of_a_batch_reach_whoever_has_the_same_contact(
    claims: Caller, vault: VaultProcess, people: People, shop: Storefront
) -> None:
    """T-6.2.3-a"""
    one, two, alone = people(3)
    guests = [
        twin_of(vault, shop, one),
        twin_of(vault, shop, one, email=one.own.email),
        twin_of(vault, shop, two),
        # Of both: one block for each claim.
        twin_of(vault, shop, one, email=two.own.email, phone=one.own.phone),
    ]
    requests = [blocked(each) for each in (one, two, alone)]
    push(claims, requests)
    assert [shop.why_not(guest.subject_id) for guest in guests] == ["SUBJECT_BLOCKED"] * 4
    told = unknown(vault, *guests)
    assert {told[guest.subject_id].origin_subject_id for guest in guests[:2]} == {one.subject_id}
    assert told[guests[2].subject_id].origin_subject_id == two.subject_id
    assert guests[3].subject_id in told


def test_two_of_a_batch_who_share_a_contact_are_blocked_with_each_other(
    claims: Caller, vault: VaultProcess, person: Person, shop: Storefront
) -> None:
    twin = twin_of(vault, shop, person)
    push(claims, [blocked(person), blocked(twin)])
    assert unknown(vault, person, twin).keys() == {person.subject_id, twin.subject_id}


def test_two_ids_of_one_person_may_come_in_one_batch(
    claims: Caller, people: People, shop: Storefront, house: House
) -> None:
    """T-1.1.5-a"""
    account, visitor, stranger = people(3)
    assert visitor.links_to(account) == "APPLIED"
    requests = [blocked(each) for each in (visitor, stranger, account)]
    assert verdicts(push(claims, requests)) == ["APPLIED"] * 3
    them = (account, visitor, stranger)
    assert [shop.why_not(each.subject_id) for each in them] == ["SUBJECT_BLOCKED"] * 3
    # Whoever holds the data of an id hears of the block of each of its person's.
    query = "SELECT count(*) FROM standing_changes WHERE subject_id = %s"
    counts = [house.rows(query, each.subject_id)[0][0] for each in them]
    assert counts == [2, 2, 1]


def test_every_push_says_whose_it_is_and_no_subject_is_named_twice(
    claims: Caller, people: People, shop: Storefront
) -> None:
    one, two, three = people(3)
    nobodys, strange = blocked(two), blocked(three)
    nobodys.header.subject_id = ""
    strange.slice.blocks[0].ClearField("ground")
    requests = [blocked(one), nobodys, blocked(one), strange]
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        push(claims, requests)
    assert caught.value.fields == (
        ("pushes[1].header.subjectId", "required"),
        ("pushes[2].header.subjectId", "repeated"),
        ("pushes[3].slice", "enum"),
    )
    assert shop.why_not(one.subject_id) == "OK"


@pytest.mark.parametrize("number", [0, 65])
def test_a_batch_has_one_to_sixty_four_pushes(
    claims: Caller, vault: VaultProcess, number: int
) -> None:
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        push(claims, [blocked(Person(vault)) for _ in range(number)])
    assert [field for field, _ in caught.value.fields] == ["pushes"]


def test_as_many_as_there_may_be_are_taken(claims: Caller, vault: VaultProcess) -> None:
    receipts = push(claims, [blocked(Person(vault)) for _ in range(64)])
    assert set(verdicts(receipts)) == {"APPLIED"}


@pytest.mark.parametrize("ended", ["session", "answer"])
def test_a_vault_that_is_killed_has_all_of_a_batch_in_force_or_none(
    own_house: House, ended: str
) -> None:
    """T-6.2.3-a"""
    vault = own_house.start()
    own_house.open(vault)
    shop = Storefront(vault.as_process("gateway"))
    them = [settled(vault, shop) for _ in range(3)]
    requests = [blocked(each) for each in them]
    superuser = own_house.premises.cluster.superuser_url(f"{own_house.name}_vault")
    with held_commits_at(superuser, "INSERT ON standing_changes") as held:
        asking = threading.Thread(target=_lost, args=(vault.as_process("claims"), requests))
        asking.start()
        session = held.await_one()
        vault.process.kill()
        vault.process.join()
        if ended == "session":
            held.end_session(session)
        held.let_go()
        asking.join()
    vault.stop()
    vault = own_house.start()
    shop = Storefront(vault.as_process("gateway"))
    stood = {shop.why_not(each.subject_id) for each in them}
    assert stood == ({"OK"} if ended == "session" else {"SUBJECT_BLOCKED"})
    expected = "APPLIED" if ended == "session" else "REPEAT"
    assert verdicts(push(vault.as_process("claims"), requests)) == [expected] * 3
    assert {shop.why_not(each.subject_id) for each in them} == {"SUBJECT_BLOCKED"}


def _lost(caller: Caller, requests: Sequence[Request]) -> None:
    with pytest.raises((Refused, AssertionError)):
        push(caller, requests)


def test_slices_of_consent_and_of_orders_may_come_together_too(
    vault: VaultProcess, people: People, shop: Storefront
) -> None:
    consent, broker = vault.as_process("consent"), vault.as_process("disclosure")
    them = people(3)
    for person in them[:2]:
        person.consent.disagreed_time.CopyFrom(at())
    slices = pushes_pb2.ApplyConsentSlicesRequest(
        pushes=[
            vault_pb2.ApplyConsentSliceRequest(header=each.header(consent), slice=each.consent)
            for each in them
        ]
    )
    assert verdicts(consent.call(slices).receipts) == ["APPLIED"] * 3
    assert verdicts(consent.call(slices).receipts) == ["REPEAT"] * 3
    told = [shop.why_not(each.subject_id) for each in them]
    assert told == ["POLICY_DISAGREED", "POLICY_DISAGREED", "OK"]
    orders = pushes_pb2.ApplyOrderSlicesRequest(
        pushes=[
            vault_pb2.ApplyOrderSliceRequest(header=each.header(broker), slice=each.orders)
            for each in them
        ]
    )
    assert verdicts(broker.call(orders).receipts) == ["APPLIED"] * 3


def test_what_is_proposed_together_is_decided_one_after_the_other(
    vault: VaultProcess, people: People
) -> None:
    """The second link would make an account of a visitor, which the first has made of it."""
    consent = vault.as_process("consent")
    visitor, account, other = people(3)
    proposals = [new_uuid(), new_uuid()]
    pushes = []
    for one, to, proposal in zip((visitor, account), (account, other), proposals, strict=True):
        one.consent.links.add(account_id=to.subject_id, link_time=at(), proposal_id=proposal)
        header = one.header(consent, proposal)
        pushes.append(vault_pb2.ApplyConsentSliceRequest(header=header, slice=one.consent))
    receipts = consent.call(pushes_pb2.ApplyConsentSlicesRequest(pushes=pushes)).receipts
    decided = [verdict_of(receipt, each) for receipt, each in zip(receipts, proposals, strict=True)]
    assert decided[0] == "APPLIED"
    assert decided[1] not in ("APPLIED", "DEFERRED")
