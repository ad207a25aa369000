# SPDX-License-Identifier: Apache-2.0
"""What the law makes a site keep is restricted, not destroyed (Digital Code 41(3), 8.4)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qupia.vault.v1 import destruction_pb2, vault_pb2
from services.chassis.ids import new_uuid
from services.vault.retention import (
    Category,
    Held,
    Kept,
    RetentionFileError,
    Term,
    kept,
    load_retention,
)
from tests.vault.ending import Officer, buys, endings
from tests.vault.person import Person, at, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Refused, Storefront

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
_TERMS = """
[demo.PURCHASES]
years = 5
basis = "Tax Code, article 48"

[demo.CONSENT_PROOFS]
years = 3
basis = "Law 94-V, article 25"
"""
_Outcome = destruction_pb2.DestructionOutcome
_Name = destruction_pb2.DestroyedCategory


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    """A house with statutory terms."""
    house = premises.house("retention")
    yield house
    house.close()


@pytest.fixture(scope="module")
def vault(house: House) -> VaultProcess:
    """Its vault."""
    file = house.premises.folder / "retention.toml"
    file.write_text(_TERMS)
    process = house.start(retention_file=file)
    house.open(process)
    return process


@pytest.fixture
def shop(vault: VaultProcess) -> Storefront:
    """Its storefront."""
    return Storefront(vault.as_process("gateway"))


@pytest.fixture
def buyer(vault: VaultProcess, shop: Storefront) -> Person:
    """Somebody who bought something."""
    person = settled(vault, shop)
    buys(shop, person.subject_id)
    return person


def test_a_statutory_term_restricts_instead_of_destroying(
    vault: VaultProcess, shop: Storefront, buyer: Person
) -> None:
    """T-5.1-b, T-8.4-a"""
    officer = Officer(vault)
    answer = officer.destroys(buyer.subject_id)
    assert answer.outcome == _Outcome.RESTRICTED
    assert not answer.HasField("certificate")
    (hold,) = answer.holds
    assert (hold.kind, hold.id) == (destruction_pb2.DestructionHold.STATUTORY_TERM, "PURCHASES")
    assert hold.basis == "Tax Code, article 48"
    until = hold.until_time.ToDatetime(UTC)
    assert until.year == datetime.now(UTC).year + 5
    for purpose in ("IDENTIFY_FOR_ORDER", "PERSONAL_RESOURCES"):
        assert shop.why_not(buyer.subject_id, purpose) == "SUBJECT_RESTRICTED"
    with pytest.raises(Refused, match="SUBJECT_RESTRICTED"):
        buys(shop, buyer.subject_id)
    assert shop.standing(buyer.subject_id).state == vault_pb2.Standing.RESTRICTED
    due = officer.asks(buyer.subject_id).destruction
    assert due.state == destruction_pb2.Destruction.RESTRICTED
    assert due.due_time == hold.until_time


def test_a_statutory_term_is_looked_at_last(
    vault: VaultProcess, shop: Storefront, buyer: Person
) -> None:
    """T-5.1-b: block, hold, order, term; nothing is restricted while another holds."""
    claim = buyer.is_blocked()
    hold = buyer.claims.holds.add(
        hold_id=new_uuid(), claim_id=claim, kind=vault_pb2.LegalHold.CLAIM, since_time=at()
    )
    officer, found = Officer(vault), []

    def held() -> None:
        with pytest.raises(Refused) as refusal:
            officer.destroys(buyer.subject_id)
        found.append((refusal.value.reason, refusal.value.clause))

    buyer.push_claims()
    held()
    buyer.outcome(claim, "NOT_CONFIRMED")
    buyer.orders_goods()
    held()
    hold.ended_time.CopyFrom(at())
    buyer.push_claims()
    held()
    assert found == [
        ("SUBJECT_BLOCKED", "6.2.3"),
        ("DESTRUCTION_HELD", "8.3"),
        ("DESTRUCTION_HELD", "5.2"),
    ]
    assert shop.read(buyer.subject_id).data.phone == buyer.own.phone
    buyer.orders.orders[0].open = False
    buyer.push_orders()
    assert officer.destroys(buyer.subject_id).outcome == _Outcome.RESTRICTED


def test_a_dry_run_explains_every_category_and_its_term(
    vault: VaultProcess, shop: Storefront, buyer: Person
) -> None:
    """T-5.1-b"""
    answer = Officer(vault).destroys(buyer.subject_id, dry_run=True)
    assert answer.outcome == _Outcome.RESTRICTED
    told = {each.category: each for each in answer.categories}
    assert told[_Name.PURCHASES].rows == 1
    assert told[_Name.PURCHASES].HasField("kept_until_time")
    assert not told[_Name.DATA].HasField("kept_until_time")
    assert told[_Name.CONSENT_PROOFS].basis == "Law 94-V, article 25"
    assert shop.read(buyer.subject_id).data.phone == buyer.own.phone


def test_once_the_term_has_ended_the_restricted_are_destroyed(
    house: House, vault: VaultProcess, shop: Storefront, buyer: Person
) -> None:
    """T-5.1-b"""
    officer = Officer(vault)
    assert officer.destroys(buyer.subject_id).outcome == _Outcome.RESTRICTED
    with house.owner() as owner:
        earlier = "store_time = store_time - interval '6 years'"
        sql = f"UPDATE purchases SET {earlier} WHERE subject_id = %s"
        owner.execute(sql, (buyer.subject_id,))
    answer = officer.destroys(buyer.subject_id)
    assert answer.outcome == _Outcome.DESTROYED
    assert shop.why_not(buyer.subject_id) == "SUBJECT_DESTROYED"
    with endings(house) as steps:
        assert steps.reconcile() == 0


def test_a_database_that_was_set_back_restricts_again(
    house: House, vault: VaultProcess, shop: Storefront, buyer: Person
) -> None:
    """T-5.1-b"""
    Officer(vault).destroys(buyer.subject_id)
    with house.owner() as owner:
        for sql in (
            "UPDATE subjects SET life = 'PRESENT' WHERE subject_id = %s",
            "DELETE FROM destructions WHERE subject_id = %s",
        ):
            owner.execute(sql, (buyer.subject_id,))
    assert shop.read(buyer.subject_id).data.phone
    with endings(house) as steps:
        assert steps.reconcile() == 1
    assert shop.why_not(buyer.subject_id) == "SUBJECT_RESTRICTED"
    due = Officer(vault).asks(buyer.subject_id).destruction
    assert due.state == destruction_pb2.Destruction.RESTRICTED


def test_of_another_site_no_term_keeps_anything(vault: VaultProcess) -> None:
    shop = Storefront(vault.as_process("gateway"), site="other")
    person = settled(vault, shop)
    buys(shop, person.subject_id)
    answer = Officer(vault, "other").destroys(person.subject_id)
    assert answer.outcome == _Outcome.DESTROYED


def test_linked_visitors_go_with_the_account_and_hold_it(
    vault: VaultProcess, shop: Storefront
) -> None:
    """T-1.1.5-a, T-5.1-b"""
    account, visitor = settled(vault, shop), settled(vault, shop)
    assert visitor.links_to(account) == "APPLIED"
    claim_id = visitor.is_blocked()
    with pytest.raises(Refused, match="SUBJECT_BLOCKED"):
        Officer(vault).destroys(account.subject_id)
    visitor.outcome(claim_id, "NOT_CONFIRMED")
    answer = Officer(vault).destroys(account.subject_id)
    assert list(answer.linked_subject_ids) == [visitor.subject_id]
    for gone in (account, visitor):
        assert shop.why_not(gone.subject_id) == "SUBJECT_DESTROYED"
        assert Officer(vault).asks(gone.subject_id).certificate.entry_id


def test_a_term_runs_from_the_newest_row_and_a_leap_day_ends_with_february() -> None:
    term = Term(1, "law")
    leap = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert term.until(leap) == datetime(2025, 2, 28, 12, tzinfo=UTC)
    terms = {Category.PURCHASES: term}
    at = NOW - timedelta(days=300)
    held = {Category.PURCHASES: Held(2, at), Category.DATA: Held(5, NOW)}
    assert kept(terms, held, NOW) == [Kept(Category.PURCHASES, term.until(at), "law")]
    assert not kept(terms, held, term.until(at))
    assert not kept(terms, {Category.PURCHASES: Held(0, None)}, NOW)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x", "is not TOML"),
        ("demo = 1", "holds no categories"),
        ("[demo.NAMES]\nyears=1\nbasis='x'", "is none of"),
        ("[demo.BATCH_ITEMS]\nyears=1\nbasis='x'", "is none of"),
        ("[demo.DATA]\nyears=1", "needs years and basis"),
        ("[demo.DATA]\nyears=0\nbasis='x'", "must be from 1"),
        ("[demo.DATA]\nyears=true\nbasis='x'", "must be from 1"),
        ("[demo.DATA]\nyears=1\nbasis=''", "must name the law"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_fault(
    tmp_path: Path, text: str, fault: str
) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(text)
    with pytest.raises(RetentionFileError, match=fault):
        load_retention(file)


def test_a_vault_with_a_wrong_file_does_not_start(house: House, tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text("[demo.NAMES]\nyears=1\nbasis='x'")
    process = house.spawn(retention_file=file)
    assert process.exit_code() == 78
    assert "demo.NAMES" in process.output
