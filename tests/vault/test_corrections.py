# SPDX-License-Identifier: Apache-2.0
"""Corrections: staged under the block, written by its outcome, in one transaction (6.2.3-e)."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from tests.harness.contacts import new_phone
from tests.vault.person import Person
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

Data = subject_pb2.PersonalData


def _stage(
    vault: VaultProcess, person: Person, claim: str, data: Data | None = None, **members: Any
) -> str:
    own = {
        "site_id": person.site,
        "subject_id": person.subject_id,
        "claim_id": claim,
        "correction_id": new_uuid(),
        "data": data or Data(phone=new_phone()),
    }
    request = vault_pb2.StageCorrectionRequest(**{**own, **members})
    vault.as_process("claims").call(request)
    return request.correction_id


def _versions(receipt: vault_pb2.SliceReceipt) -> dict[str, int]:
    return {c.correction_id: c.version for c in receipt.corrections}


def test_a_confirmed_correction_is_written_and_the_block_lifted_at_once(
    vault: VaultProcess, shop: Storefront, person: Person, house: House
) -> None:
    claim, new = person.is_blocked(), new_phone()
    written = f"8 {new[2:5]} {new[5:8]} {new[8:10]} {new[10:]}"
    correction = _stage(vault, person, claim, Data(phone=written))
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    receipt = person.outcome(claim, "INACCURATE_CONFIRMED", correction)
    assert _versions(receipt) == {correction: 2}
    answer = shop.read(person.subject_id)
    assert (answer.data.phone, answer.version) == (new, 2)
    origin = house.rows(
        "SELECT supplier FROM data WHERE subject_id = %s AND field = 'phone'", person.subject_id
    )
    assert origin == [("VERIFICATION",)]


def test_pushing_the_outcome_again_writes_nothing_again(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    later = new_phone()
    claim = person.is_blocked()
    correction = _stage(vault, person, claim)
    person.outcome(claim, "INACCURATE_CONFIRMED", correction)
    shop.store(person.subject_id, Data(phone=later), "later")
    assert _versions(person.push_claims()) == {correction: 2}
    assert shop.read(person.subject_id).data.phone == later


@pytest.mark.parametrize("outcome", ["NOT_CONFIRMED", "RELEASED"])
def test_what_was_not_confirmed_is_not_written(
    vault: VaultProcess, shop: Storefront, person: Person, outcome: str
) -> None:
    claim = person.is_blocked()
    correction = _stage(vault, person, claim)
    assert _versions(person.outcome(claim, outcome, correction)) == {}
    assert shop.read(person.subject_id).data.phone == person.own.phone


def test_while_another_block_is_open_a_confirmed_correction_waits(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    later = new_phone()
    first, second = person.is_blocked(), person.is_blocked()
    one = _stage(vault, person, first)
    two = _stage(vault, person, second, Data(phone=later))
    assert _versions(person.outcome(first, "INACCURATE_CONFIRMED", one)) == {}
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    written = _versions(person.outcome(second, "INACCURATE_CONFIRMED", two))
    assert written == {one: 2, two: 3}
    assert shop.read(person.subject_id).data.phone == later


def test_destruction_beats_correction(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    first, second = person.is_blocked(), person.is_blocked()
    correction = _stage(vault, person, first)
    person.outcome(first, "INACCURATE_CONFIRMED", correction)
    assert _versions(person.outcome(second, "UNLAWFUL_CONFIRMED")) == {}
    assert shop.why_not(person.subject_id) == "SUBJECT_RESTRICTED"
    assert shop.standing(person.subject_id).data_version == 1


def test_a_correction_that_was_never_staged_leaves_the_block(
    shop: Storefront, person: Person
) -> None:
    claim = person.is_blocked()
    with pytest.raises(Refused, match="STATE_CONFLICT"):
        person.outcome(claim, "INACCURATE_CONFIRMED", new_uuid())
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"


def test_another_persons_correction_is_none(
    vault: VaultProcess, shop: Storefront, people: Any
) -> None:
    one, two = people(2)
    theirs = _stage(vault, two, two.is_blocked())
    claim = one.is_blocked()
    with pytest.raises(Refused, match="STATE_CONFLICT"):
        one.outcome(claim, "INACCURATE_CONFIRMED", theirs)
    assert shop.why_not(one.subject_id) == "SUBJECT_BLOCKED"


def test_a_correction_may_clear_a_datum(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    claim = person.is_blocked()
    correction = _stage(vault, person, claim, Data(), update_mask=FieldMask(paths=["email"]))
    person.outcome(claim, "INACCURATE_CONFIRMED", correction)
    assert not shop.read(person.subject_id).data.HasField("email")


def test_a_correction_that_changes_nothing_makes_no_version(
    vault: VaultProcess, person: Person
) -> None:
    claim = person.is_blocked()
    correction = _stage(vault, person, claim, Data(phone=person.own.phone))
    assert _versions(person.outcome(claim, "INACCURATE_CONFIRMED", correction)) == {correction: 1}


def test_a_correction_is_checked_when_it_is_staged_and_kept_sealed(
    vault: VaultProcess, person: Person, house: House
) -> None:
    claim = person.is_blocked()
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        _stage(vault, person, claim, Data(phone="1"))
    assert caught.value.fields == (("data.phone", "PHONE_MALFORMED"),)
    _stage(vault, person, claim, Data(given_name="Айгерім"))
    rows = str(house.rows("SELECT t::text FROM corrections t"))
    assert "Айгерім".encode().hex() not in rows


@pytest.mark.parametrize("whose", [{"subject_id": "0" * 32}, {"site_id": "other"}])
def test_a_correction_of_nobody_is_not_staged(
    vault: VaultProcess, person: Person, whose: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match="NOT_FOUND"):
        _stage(vault, person, person.is_blocked(), **whose)


def test_an_ordinary_change_under_a_block_is_refused(shop: Storefront, person: Person) -> None:
    person.is_blocked()
    with pytest.raises(Refused, match="SUBJECT_BLOCKED"):
        shop.store(person.subject_id, Data(phone=new_phone()), "sneak")
