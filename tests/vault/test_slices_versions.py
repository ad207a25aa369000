# SPDX-License-Identifier: Apache-2.0
"""Whole slices with versions: idempotent, ordered, and alarming where two books differ."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from tests.vault.person import Person, at, settled
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

Receipt = vault_pb2.SliceReceipt


def _claims_request(
    person: Person, counter: int, *blocks: vault_pb2.Block, **header: Any
) -> vault_pb2.ApplyClaimsSliceRequest:
    life = person.vault.as_process("claims").life
    members = {
        "site_id": person.site,
        "subject_id": person.subject_id,
        "version": vault_pb2.SliceVersion(incarnation=life.incarnation, counter=counter),
        "vault_incarnation": life.vault_incarnation,
    }
    return vault_pb2.ApplyClaimsSliceRequest(
        header=vault_pb2.SliceHeader(**{**members, **header}),
        slice=vault_pb2.ClaimsSlice(blocks=blocks),
    )


def _block(**members: Any) -> vault_pb2.Block:
    own = {"claim_id": new_uuid(), "since_time": at(), "recorded_time": at(), "ground": 1}
    return vault_pb2.Block(**{**own, "origin": 1, **members})


def _push(person: Person, request: vault_pb2.ApplyClaimsSliceRequest) -> vault_pb2.SliceReceipt:
    receipt: vault_pb2.SliceReceipt = person.vault.as_process("claims").call(request).receipt
    return receipt


def test_a_repeat_is_answered_alike_and_an_older_version_changes_nothing(
    person: Person, shop: Storefront
) -> None:
    block = _block()
    open_, lifted = _claims_request(person, 1, block), _claims_request(person, 2)
    block.outcome = vault_pb2.Block.NOT_CONFIRMED
    lifted.slice.blocks.add().CopyFrom(block)
    first = _push(person, open_)
    assert first.verdict == Receipt.APPLIED
    again = _push(person, open_)
    assert again.verdict == Receipt.REPEAT
    assert again.current == first.current
    assert _push(person, lifted).verdict == Receipt.APPLIED
    stale = _push(person, open_)
    assert stale.verdict == Receipt.STALE
    assert stale.current == vault_pb2.SliceVersion(incarnation=first.current.incarnation, counter=2)
    assert shop.why_not(person.subject_id) == "OK"


def test_one_version_with_two_contents_is_an_alarm_and_changes_nothing(
    person: Person, shop: Storefront, vault: VaultProcess, house: House
) -> None:
    block = _block()
    assert _push(person, _claims_request(person, 1, block)).verdict == Receipt.APPLIED
    alarms = vault.metric("qupia_alarms_total", kind="slice_conflict")
    assert _push(person, _claims_request(person, 1)).verdict == Receipt.CONFLICT
    assert vault.metric("qupia_alarms_total", kind="slice_conflict") == alarms + 1
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    [(pseudonym,)] = house.rows(
        "SELECT pseudonym FROM data_keys WHERE owner_id = %s", person.subject_id, key_store=True
    )
    recorded = house.entries(event="claims_slice.applied", subject=pseudonym)
    assert [e["refs"]["verdict"] for e in recorded] == ["APPLIED", "CONFLICT"]


def test_a_push_to_another_life_of_the_vault_is_told_to_push_everything(person: Person) -> None:
    request = _claims_request(person, 1, _block(), vault_incarnation=new_uuid())
    receipt = _push(person, request)
    assert receipt.verdict == Receipt.NEEDS_ALL
    assert receipt.vault_incarnation == person.vault.as_process("claims").life.vault_incarnation


@pytest.mark.parametrize(("step", "verdict"), [(-1, Receipt.STALE), (1, Receipt.CONFLICT)])
def test_only_the_present_incarnation_pushes(
    vault: VaultProcess, shop: Storefront, step: int, verdict: int
) -> None:
    person = settled(vault, shop)
    now = vault.as_process("claims").life.incarnation
    version = vault_pb2.SliceVersion(incarnation=now + step, counter=1)
    if now + step > 0:
        assert _push(person, _claims_request(person, 1, version=version)).verdict == verdict


def test_orders_of_nobody_are_not_taken(vault: VaultProcess) -> None:
    nobody = Person(vault)
    nobody.orders.orders.add(order_id="A-1", placed_time=at(), open=True, proposal_id=new_uuid())
    assert nobody.push_orders().verdict == Receipt.UNKNOWN_SUBJECT


def test_a_block_that_comes_before_its_person_waits_for_it(
    vault: VaultProcess, shop: Storefront
) -> None:
    person = Person(vault)
    claim = person.is_blocked()
    assert shop.why_not(person.subject_id) == "NOT_FOUND"
    assert person.accepts() == "APPLIED"
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    person.outcome(claim, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "OK"


@pytest.mark.parametrize("process", ["consent", "disclosure", "gateway"])
def test_nobody_but_claims_pushes_blocks(person: Person, vault: VaultProcess, process: str) -> None:
    with pytest.raises(Refused, match="PEER_NOT_ALLOWED"):
        vault.as_process(process).call(_claims_request(person, 1, _block()))


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        ({"subject_id": ""}, "header.subjectId"),
        ({"subject_id": "nobody"}, "header.subjectId"),
        ({"site_id": ""}, "header.siteId"),
        ({"site_id": "Not A Site"}, "header.siteId"),
        ({"version": None}, "header.version"),
    ],
)
def test_a_slice_says_whose_it_is(person: Person, header: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        _push(person, _claims_request(person, 1, _block(), **header))
    assert wrong in [field for field, _ in caught.value.fields]


@pytest.mark.parametrize("members", [{"ground": 0}, {"origin": 0}, {"ground": 9}, {"outcome": 77}])
def test_a_block_without_a_known_ground_or_origin_is_refused(
    person: Person, shop: Storefront, members: dict[str, int]
) -> None:
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        _push(person, _claims_request(person, 1, _block(**members)))
    assert shop.why_not(person.subject_id) == "OK"


def test_an_assignment_or_a_hold_of_no_kind_is_refused(person: Person) -> None:
    person.orders.orders.add(order_id="A-1", placed_time=at(), proposal_id=new_uuid())
    person.orders.orders[0].assignments.add(delivery_id=new_uuid(), recipient_id=new_uuid())
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        person.push_orders()
    person.claims.holds.add(hold_id=new_uuid(), since_time=at())
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        person.push_claims()


def test_a_sites_schedule_and_a_persons_slice_do_not_take_each_others_place(
    vault: VaultProcess, person: Person, shop: Storefront
) -> None:
    consent = vault.as_process("consent")
    header = person.header(consent)
    schedule = vault_pb2.PolicySchedule(terms=[vault_pb2.PolicyTerm(version=1)])
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        consent.call(vault_pb2.ApplyPolicyScheduleRequest(header=header, schedule=schedule))
    everyone = vault_pb2.SliceHeader()
    everyone.CopyFrom(header)
    everyone.subject_id = ""
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        consent.call(
            vault_pb2.ApplyConsentSliceRequest(
                header=everyone, slice=vault_pb2.ConsentSlice(disagreed_time=at())
            )
        )
    assert shop.why_not(person.subject_id) == "OK"


def test_pushes_that_race_leave_the_highest_version(
    vault: VaultProcess, shop: Storefront, house: House
) -> None:
    person = settled(vault, shop)
    blocks = [_block(outcome=vault_pb2.Block.NOT_CONFIRMED) for _ in range(12)]
    requests = [_claims_request(person, n + 1, *blocks[: n + 1]) for n in range(12)]
    secrets.SystemRandom().shuffle(requests)
    with ThreadPoolExecutor(6) as pool:
        receipts = list(pool.map(lambda request: _push(person, request), requests * 2))
    assert {r.verdict for r in receipts} <= {Receipt.APPLIED, Receipt.STALE, Receipt.REPEAT}
    rows = house.rows(
        "SELECT counter FROM slices WHERE subject_id = %s AND topic = 'claims'", person.subject_id
    )
    assert rows == [(12,)]
    assert all(r.current.counter <= 12 for r in receipts)
    assert max(r.current.counter for r in receipts) == 12
