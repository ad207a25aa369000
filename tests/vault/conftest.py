# SPDX-License-Identifier: Apache-2.0
"""One PostgreSQL for the session; one open vault that the tests share, and houses of their own."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.vault.person import Person, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Storefront

_number = count()


@pytest.fixture(scope="session")
def premises() -> Iterator[Premises]:
    """PostgreSQL, certificates, an issuer."""
    premises = Premises()
    yield premises
    premises.close()


@pytest.fixture(scope="session")
def house(premises: Premises) -> House:
    """The house that the tests share; none may leave it damaged."""
    return premises.house("shared")


@pytest.fixture(scope="session")
def vault(house: House) -> VaultProcess:
    """A vault to which every decider has pushed all it knows."""
    process = house.start()
    house.open(process)
    return process


@pytest.fixture
def own_house(premises: Premises) -> Iterator[House]:
    """A house for one test, which may break what it likes."""
    house = premises.house(f"own{next(_number)}")
    yield house
    house.close()


@pytest.fixture
def shop(vault: VaultProcess) -> Storefront:
    """A storefront of the site demo."""
    return Storefront(vault.as_process("gateway"))


@pytest.fixture
def person(vault: VaultProcess, shop: Storefront) -> Person:
    """Somebody who accepted the policy and gave their data."""
    return settled(vault, shop)


@pytest.fixture
def people(vault: VaultProcess, shop: Storefront) -> Callable[[int], list[Person]]:
    """Several of them."""
    return lambda number: [settled(vault, shop) for _ in range(number)]
