# SPDX-License-Identifier: Apache-2.0
"""The checkers of I1, I2 and I3 see the bugs they are there for (guarantees, section 5)."""

from collections.abc import Callable, Iterator

import pytest

from tests.vault.history import watch
from tests.vault.person import Person, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Storefront

BROKEN = "tests.planted.broken_vault"
_ROUNDS = 40


@pytest.fixture(scope="module")
def premises() -> Iterator[Premises]:
    """PostgreSQL, certificates, an issuer."""
    premises = Premises()
    yield premises
    premises.close()


@pytest.fixture(scope="module")
def house(premises: Premises) -> House:
    """Where the broken vaults live; their databases are sound."""
    return premises.house("planted")


@pytest.fixture
def broken(house: House) -> Iterator[Callable[[str], list[VaultProcess]]]:
    """Starts two processes with a bug."""
    started: list[VaultProcess] = []

    def start(bug: str) -> list[VaultProcess]:
        started.extend(house.spawn(f"{BROKEN}:{bug}") for _ in range(2))
        for process in started:
            process.wait_until_serving()
        if not house.lives["consent"].incarnation:
            house.open(started[0])
        return started

    yield start
    for process in started:
        process.stop()


def _block(person: Person) -> Callable[[], object]:
    return person.is_blocked


def _withdrawal(person: Person) -> Callable[[], object]:
    assert person.grants("NEWS") == "APPLIED"
    return lambda: person.withdraws("NEWS")


def _violations(
    house: House,
    vaults: list[VaultProcess],
    purpose: str,
    restriction: Callable[[Person], Callable[[], object]],
    rounds: int,
) -> dict[str, int]:
    """All that the checkers find, until they find something."""
    for number in range(rounds):
        vault = vaults[number % 2]
        person = settled(vault, Storefront(vault.as_process("gateway")))
        act = restriction(person)
        found = watch(house, vaults, person.subject_id, purpose, act).violations()
        if found:
            return found
    return {}


@pytest.mark.parametrize(
    ("bug", "caught_by"),
    [
        ("lock_and_data_in_one_statement", "permitted later"),
        ("cached_block", "served later"),
        ("evidence_after_the_answer", "unrecorded"),
    ],
)
def test_a_planted_bug_is_caught_around_a_block(
    house: House, broken: Callable[[str], list[VaultProcess]], bug: str, caught_by: str
) -> None:
    found = _violations(house, broken(bug), "IDENTIFY_FOR_ORDER", _block, _ROUNDS)
    assert caught_by in found


@pytest.mark.deep
@pytest.mark.parametrize(
    ("bug", "caught_by"),
    [
        ("lock_and_data_in_one_statement", "permitted later"),
        ("cached_consent", "served later"),
        ("evidence_after_the_answer", "unrecorded"),
    ],
)
def test_a_planted_bug_is_caught_around_a_withdrawal(
    house: House, broken: Callable[[str], list[VaultProcess]], bug: str, caught_by: str
) -> None:
    found = _violations(house, broken(bug), "NEWS", _withdrawal, _ROUNDS)
    assert caught_by in found


@pytest.mark.deep
def test_the_same_door_without_a_bug_shows_none(
    house: House, broken: Callable[[str], list[VaultProcess]]
) -> None:
    vaults = broken("no_bug")
    assert _violations(house, vaults, "IDENTIFY_FOR_ORDER", _block, 20) == {}
    assert _violations(house, vaults, "NEWS", _withdrawal, 20) == {}
