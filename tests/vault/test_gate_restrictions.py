# SPDX-License-Identifier: Apache-2.0
"""Block then read, withdraw then read: 16 readers on two processes and one database (I1, I2)."""

from collections.abc import Callable

import pytest

from tests.vault.history import History, watch
from tests.vault.person import Person, problem_of, release, settled
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Storefront, read_request, reason_of


@pytest.fixture(scope="module")
def vaults(house: House, vault: VaultProcess) -> list[VaultProcess]:
    """Two processes on one database."""
    return [vault, house.start()]


def _block(person: Person) -> Callable[[], object]:
    return person.is_blocked


def _withdrawal(person: Person) -> Callable[[], object]:
    assert person.grants("NEWS") == "APPLIED"
    return lambda: person.withdraws("NEWS")


ACTS = {"block": ("IDENTIFY_FOR_ORDER", _block), "withdrawal": ("NEWS", _withdrawal)}


def _round(house: House, vaults: list[VaultProcess], act: str, number: int) -> History:
    vault = vaults[number % 2]
    purpose, restriction = ACTS[act]
    person = settled(vault, Storefront(vault.as_process("gateway")))
    return watch(house, vaults, person.subject_id, purpose, restriction(person))


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.deep)])
def test_no_read_that_starts_after_the_answer_succeeds(
    house: House, vaults: list[VaultProcess], act: str, rounds: int
) -> None:
    for number in range(rounds):
        assert _round(house, vaults, act, number).violations() == {}


def test_a_block_holds_in_every_process_and_for_every_way_out(
    vaults: list[VaultProcess], person: Person
) -> None:
    delivery = person.orders_goods()
    person.is_blocked()
    for vault in vaults:
        here = Storefront(vault.as_process("gateway"))
        assert here.why_not(person.subject_id) == "SUBJECT_BLOCKED"
        assert [reason_of(o) for o in here.batch(read_request(person.subject_id))] == [
            "SUBJECT_BLOCKED"
        ]
        assert [problem_of(o) for o in release(vault, delivery.item())] == ["SUBJECT_BLOCKED"]
        assert here.standing(person.subject_id).open_blocks == 1


def test_a_block_ends_with_its_last_outcome_only(shop: Storefront, person: Person) -> None:
    first, second = person.is_blocked(), person.is_blocked()
    person.outcome(first, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    person.outcome(second, "RELEASED")
    assert shop.why_not(person.subject_id) == "OK"


def test_confirmed_unlawful_acts_restrict_for_ever(shop: Storefront, person: Person) -> None:
    first, second = person.is_blocked(), person.is_blocked()
    person.outcome(first, "UNLAWFUL_CONFIRMED")
    person.outcome(second, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "SUBJECT_RESTRICTED"
    # A book that thinks better of it does not bring the data back.
    person.outcome(first, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "SUBJECT_RESTRICTED"


def test_a_block_takes_its_turn_although_readers_never_pause(
    house: House, vaults: list[VaultProcess]
) -> None:
    person = settled(vaults[0], Storefront(vaults[0].as_process("gateway")))
    history = watch(
        house, vaults, person.subject_id, "IDENTIFY_FOR_ORDER", lambda: _in_time(person)
    )
    assert history.violations() == {}


def _in_time(person: Person) -> None:
    person.claims.blocks.add(claim_id="0192f0c0-0000-7000-8000-0000000000aa", ground=1, origin=1)
    # The fair lock: 34 ms were measured where row locks starved it for 4.5 s.
    person.push_claims(seconds=1.5)
