# SPDX-License-Identifier: Apache-2.0
"""Without its key-encryption key the vault gives nothing out, and still restricts."""

import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from tests.harness.contacts import new_phone
from tests.vault.person import new_data, problem_of, release, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request, reason_of

FORGETFUL = "tests.vault.forgetful_vault:main"


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    """A house whose key file is taken away and put back."""
    house = premises.house("keys")
    yield house
    house.close()


@pytest.fixture(scope="module")
def vault(house: House) -> VaultProcess:
    """An open vault that keeps no unwrapped key in memory."""
    process = house.start(FORGETFUL)
    house.open(process)
    return process


def _removed(file: Path) -> None:
    file.unlink()


def _altered(file: Path) -> None:
    """Another key under the same id."""
    text = file.read_text()
    key = text.partition('"key": "')[2].partition('"')[0]
    file.write_text(text.replace(key, b64encode(secrets.token_bytes(32)).decode()))


def _of_another_key_store(file: Path) -> None:
    key_id = file.read_text().partition('"current": "')[2].partition('"')[0]
    file.write_text(file.read_text().replace(key_id, f"kek-{secrets.token_hex(8)}"))


def _garbled(file: Path) -> None:
    file.write_text("{")


def _readable_by_others(file: Path) -> None:
    file.chmod(0o644)


FAULTS = [_removed, _altered, _of_another_key_store, _garbled, _readable_by_others]


@pytest.fixture
def lost(house: House) -> Iterator[Callable[[Callable[[Path], None]], None]]:
    """Does something to the key file; afterwards it is as it was."""
    kept = house.key_file.read_bytes()
    yield lambda fault: fault(house.key_file)
    house.key_file.write_bytes(kept)
    house.key_file.chmod(0o600)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_key_no_datum_leaves_or_comes_in(
    vault: VaultProcess,
    lost: Callable[[Callable[[Path], None]], None],
    fault: Callable[[Path], None],
) -> None:
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    delivery = person.orders_goods()
    lost(fault)
    assert shop.why_not(person.subject_id) == "KEY_UNAVAILABLE"
    assert reason_of(shop.batch(read_request(person.subject_id))[0]) == "KEY_UNAVAILABLE"
    assert [problem_of(o) for o in release(vault, delivery.item())] == ["KEY_UNAVAILABLE"]
    for request_id, change in (
        ("a", new_data()),
        ("b", subject_pb2.PersonalData(given_name="Айгерім")),
    ):
        with pytest.raises(Refused, match="KEY_UNAVAILABLE"):
            shop.store(person.subject_id, change, request_id)
    assert shop.standing(person.subject_id).data_version == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_key_blocks_and_withdrawals_still_apply(
    vault: VaultProcess,
    house: House,
    lost: Callable[[Callable[[Path], None]], None],
    fault: Callable[[Path], None],
) -> None:
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    assert person.grants("NEWS") == "APPLIED"
    kept = house.key_file.read_bytes()
    lost(fault)
    assert person.withdraws("NEWS").verdict == vault_pb2.SliceReceipt.APPLIED
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_WITHDRAWN"
    claim = person.is_blocked()
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    person.disagrees()
    house.key_file.write_bytes(kept)
    house.key_file.chmod(0o600)
    person.outcome(claim, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "POLICY_DISAGREED"


def test_without_the_key_a_new_person_is_not_half_born(
    vault: VaultProcess, lost: Callable[[Callable[[Path], None]], None]
) -> None:
    shop = Storefront(vault.as_process("gateway"))
    known = settled(vault, shop)
    lost(_removed)
    newcomer = type(known)(vault)
    with pytest.raises(Refused, match="KEY_UNAVAILABLE"):
        newcomer.accepts()
    assert shop.why_not(newcomer.subject_id) == "NOT_FOUND"


def test_without_the_key_an_outcome_that_writes_a_correction_leaves_the_block(
    vault: VaultProcess, house: House, lost: Callable[[Callable[[Path], None]], None]
) -> None:
    new = new_phone()
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    claim, correction = person.is_blocked(), new_uuid()
    vault.as_process("claims").call(
        vault_pb2.StageCorrectionRequest(
            site_id="demo",
            subject_id=person.subject_id,
            claim_id=claim,
            correction_id=correction,
            data=subject_pb2.PersonalData(phone=new),
        )
    )
    kept = house.key_file.read_bytes()
    lost(_removed)
    with pytest.raises(Refused, match="KEY_UNAVAILABLE"):
        person.outcome(claim, "INACCURATE_CONFIRMED", correction)
    house.key_file.write_bytes(kept)
    house.key_file.chmod(0o600)
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    assert [c.version for c in person.push_claims().corrections] == [2]
    assert shop.read(person.subject_id).data.phone == new


@pytest.mark.deep
@pytest.mark.usefixtures("vault")
def test_an_ordinary_vault_forgets_its_keys_within_a_minute(
    house: House, lost: Callable[[Callable[[Path], None]], None]
) -> None:
    ordinary = house.start()
    shop = Storefront(ordinary.as_process("gateway"))
    person = settled(ordinary, shop)
    lost(_removed)
    deadline = time.monotonic() + 65
    while shop.why_not(person.subject_id) == "OK":
        assert time.monotonic() < deadline
        time.sleep(1)
    assert shop.why_not(person.subject_id) == "KEY_UNAVAILABLE"
