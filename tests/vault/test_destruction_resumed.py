# SPDX-License-Identifier: Apache-2.0
"""An end that is cut short anywhere leaves the person whole, or is made up for (clause 5.1)."""

import threading
import time
from collections.abc import Iterator

import pytest

from services.chassis.ids import new_uuid
from tests.harness.waiting import wait_until
from tests.vault.ending import MEMORIALS, Officer, buried, endings, pseudonym, tables_naming
from tests.vault.person import Person, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Refused, Storefront

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    """A house whose process is killed."""
    house = premises.house("ending")
    yield house
    house.close()


def _started(house: House) -> VaultProcess:
    process = house.start()
    house.open(process)
    return process


def _killed(process: VaultProcess) -> None:
    process.process.kill()
    process.process.join()
    process.stop()


def _is_gone(house: House, person: Person) -> bool:
    return tables_naming(house, person.subject_id) <= MEMORIALS


def test_killed_after_the_key_is_gone_the_next_start_destroys(house: House) -> None:
    """T-5.1-b"""
    process = _started(house)
    shop = Storefront(process.as_process("gateway"))
    person, other = settled(process, shop), settled(process, shop)
    stone = buried(house, person)
    _killed(process)
    assert not _is_gone(house, person)
    process = house.start()
    assert _is_gone(house, person)
    shop = Storefront(process.as_process("gateway"))
    house.open(process)
    assert shop.why_not(person.subject_id) == "SUBJECT_DESTROYED"
    assert shop.read(other.subject_id).data.given_name
    done = Officer(process).asks(person.subject_id)
    assert done.certificate.document == stone.document
    entry = house.entries(event="subject.destroyed", entryId=done.certificate.entry_id)
    assert [e["principal"] for e in entry] == ["officer"]
    # Another start finds nothing left to do.
    _killed(process)
    _started(house).stop()
    assert len(house.entries(event="subject.destroyed")) == 1


def test_an_end_that_could_not_be_finished_is_finished_by_the_next_round(house: House) -> None:
    """T-5.1-b"""
    process = _started(house)
    shop = Storefront(process.as_process("gateway"))
    person = settled(process, shop)
    buried(house, person)
    # Between the two databases the person can neither be read nor given a new key.
    assert shop.why_not(person.subject_id) in ("DATA_LOSS", "SUBJECT_DESTROYED")
    wait_until(lambda: _is_gone(house, person), "the person is not gone")
    assert shop.why_not(person.subject_id) == "SUBJECT_DESTROYED"
    process.stop()


def test_the_officer_who_repeats_what_a_crash_interrupted_gets_the_certificate(
    house: House,
) -> None:
    """T-5.1-b"""
    process = _started(house)
    shop = Storefront(process.as_process("gateway"))
    person = settled(process, shop)
    stone = buried(house, person)
    answer = Officer(process).destroys(person.subject_id)
    assert answer.certificate.destruction_id == stone.ending.destruction_id
    assert _is_gone(house, person)
    process.stop()


def test_killed_at_any_moment_a_person_is_whole_or_gone(house: House) -> None:
    """T-5.1-b"""
    ends, last = set(), 5
    for number in range(last + 1):
        process = _started(house)
        shop = Storefront(process.as_process("gateway"))
        person = settled(process, shop)
        request_id = new_uuid()
        asked = threading.Thread(target=_destroy, args=(process, person, request_id))
        # From before the call has come to after it has ended, whatever the machine does meanwhile.
        if number == 0:
            process.process.kill()
        asked.start()
        if number == last:
            asked.join()
        else:
            time.sleep(0.004 * number)
        process.process.kill()
        asked.join()
        process.stop()
        process = _started(house)
        shop = Storefront(process.as_process("gateway"))
        reason = shop.why_not(person.subject_id)
        ends.add(reason)
        if reason == "OK":
            assert shop.read(person.subject_id).data.phone == person.own.phone
            assert pseudonym(house, person)
            Officer(process).destroys(person.subject_id, request_id=request_id)
        assert _is_gone(house, person)
        assert not pseudonym(house, person)
        assert Officer(process).asks(person.subject_id).certificate.entry_id
        process.stop()
    assert ends == {"OK", "SUBJECT_DESTROYED"}


def _destroy(process: VaultProcess, person: Person, request_id: str) -> None:
    try:
        Officer(process).destroys(person.subject_id, request_id=request_id)
    except (Refused, AssertionError):
        # Refused, or cut off: an answer without a reason.
        return


def test_nobody_who_has_a_tombstone_is_ever_made_again(house: House) -> None:
    """T-5.1-b: neither by a decider's resync nor by a document for them."""
    process = _started(house)
    shop = Storefront(process.as_process("gateway"))
    person = settled(process, shop)
    Officer(process).destroys(person.subject_id)
    with house.owner() as owner:
        # As if the data database had been set back to before the person came.
        for table in ("subjects", "destructions", "proposal_verdicts"):
            owner.execute(f"DELETE FROM {table} WHERE subject_id = %s", (person.subject_id,))
    receipt = person.push_consent()
    assert receipt.Verdict.Name(receipt.verdict) == "SUBJECT_DESTROYED"
    assert not pseudonym(house, person)
    with endings(house) as steps:
        assert steps.reconcile() == 1
    assert shop.why_not(person.subject_id) == "SUBJECT_DESTROYED"
    process.stop()


def test_without_a_key_encryption_key_people_are_still_destroyed(own_house: House) -> None:
    """T-5.1-b"""
    process = own_house.start("tests.vault.forgetful_vault:main")
    own_house.open(process)
    shop = Storefront(process.as_process("gateway"))
    person = settled(process, shop)
    own_house.key_file.unlink()
    assert shop.why_not(person.subject_id) == "KEY_UNAVAILABLE"
    certificate = Officer(process).destroys(person.subject_id).certificate
    assert certificate.document
    assert shop.why_not(person.subject_id) == "SUBJECT_DESTROYED"
    assert _is_gone(own_house, person)
