# SPDX-License-Identifier: Apache-2.0
"""Nobody is served before every decider has pushed all it knows (architecture 2.1)."""

import time

import pytest

from qupia.vault.v1 import vault_pb2
from services.vault import store_life
from tests.vault.person import Person, new_data, release, settled
from tests.vault.vault_process import DECIDERS, House
from tests.vault.wire_client import Refused, Storefront, read_request


def test_a_vault_serves_only_when_the_last_of_its_deciders_has_pushed(own_house: House) -> None:
    vault = own_house.start()
    shop = Storefront(vault.as_process("gateway"))
    for missing in DECIDERS:
        assert shop.why_not("0" * 32) == "VAULT_NOT_READY"
        vault.as_process(missing).open_incarnation()
        with pytest.raises(Refused, match="VAULT_NOT_READY"):
            shop.standing("0" * 32)
        vault.as_process(missing).complete()
    assert shop.why_not("0" * 32) == "NOT_FOUND"


def test_while_it_waits_restrictions_apply_and_proposals_are_deferred(own_house: House) -> None:
    vault = own_house.start()
    own_house.open(vault)
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    delivery = person.orders_goods()
    vault.as_process("disclosure").open_incarnation()
    for refused in (
        lambda: shop.read(person.subject_id),
        lambda: shop.batch(read_request(person.subject_id)),
        lambda: shop.store(person.subject_id, new_data(), "waiting"),
        lambda: release(vault, delivery.item()),
    ):
        with pytest.raises(Refused, match="VAULT_NOT_READY"):
            refused()
    assert person.grants("NEWS") == "DEFERRED"
    person.is_blocked()
    vault.as_process("disclosure").complete()
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    assert person.grants("ADVERTISING") == "SUBJECT_BLOCKED"


def test_a_completion_counts_for_the_present_lives_only(own_house: House) -> None:
    vault = own_house.start()
    claims = vault.as_process("claims")
    claims.open_incarnation()
    former = vault_pb2.CompleteResyncRequest(
        incarnation=claims.life.incarnation, vault_incarnation=claims.life.vault_incarnation
    )
    claims.open_incarnation()
    assert not claims.call(former).counts
    strange = vault_pb2.CompleteResyncRequest(
        incarnation=claims.life.incarnation,
        vault_incarnation="0192f0c0-0000-7000-8000-000000000000",
    )
    assert not claims.call(strange).counts
    assert claims.complete().counts
    assert claims.complete().counts


def test_a_restart_goes_on_where_it_stopped(own_house: House) -> None:
    first = own_house.start()
    own_house.open(first)
    person = settled(first, Storefront(first.as_process("gateway")))
    first.stop()
    again = own_house.start()
    assert Storefront(again.as_process("gateway")).why_not(person.subject_id) == "OK"


def test_two_processes_that_start_at_once_go_on_with_one_life(own_house: House) -> None:
    first = own_house.start()
    own_house.open(first)
    person = settled(first, Storefront(first.as_process("gateway")))
    first.stop()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with own_house.owner() as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", (store_life._LOCK,))
        together = [own_house.spawn() for _ in range(2)]
        while own_house.rows(waiting) != [(2,)]:
            assert all(process.process.is_alive() for process in together)
            time.sleep(0.01)
    for process in together:
        process.wait_until_serving()
        shop = Storefront(process.as_process("gateway"))
        assert shop.why_not(person.subject_id) == "OK"


@pytest.mark.parametrize("which", ["vault", "key_store"])
def test_a_database_that_was_set_back_is_another_life(own_house: House, which: str) -> None:
    first = own_house.start()
    own_house.open(first)
    person = settled(first, Storefront(first.as_process("gateway")))
    first.stop()
    with own_house.owner(key_store=which == "key_store") as owner:
        owner.execute("UPDATE vault_life SET starts = starts - 1")
    again = own_house.start()
    shop = Storefront(again.as_process("gateway"))
    assert shop.why_not(person.subject_id) == "VAULT_NOT_READY"
    person.vault = again
    # The deciders still speak to the former life: they are told so, and nothing is applied.
    assert person.push_claims().verdict == vault_pb2.SliceReceipt.NEEDS_ALL
    own_house.open(again)
    _pushes_everything(person)
    assert shop.why_not(person.subject_id) == "OK"


def _pushes_everything(person: Person) -> None:
    for push in (person.push_consent, person.push_claims, person.push_orders):
        assert push().verdict == vault_pb2.SliceReceipt.APPLIED
