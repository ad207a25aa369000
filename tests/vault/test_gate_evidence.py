# SPDX-License-Identifier: Apache-2.0
"""No record, no data (architecture 2.4, invariants I3 and I4)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.vault.decide import RULES_VERSION
from tests.vault.person import Person, new_data, release, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request, reason_of


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    """A house whose evidence is taken away and given back."""
    house = premises.house("evidence")
    yield house
    house.close()


@pytest.fixture(scope="module")
def vault(house: House) -> VaultProcess:
    """Its open vault."""
    process = house.start()
    house.open(process)
    return process


@contextmanager
def _read_only(house: House) -> Iterator[None]:
    role = house.vault.runtime_url.partition("://")[2].partition(":")[0]
    with house.owner() as owner:
        owner.execute(f"REVOKE INSERT ON evidence_entries FROM {role}")
        try:
            yield
        finally:
            owner.execute(f"GRANT INSERT ON evidence_entries TO {role}")


@contextmanager
def _raising(house: House, when: str = "BEFORE INSERT", code: str = "P0001") -> Iterator[None]:
    kind = "CONSTRAINT TRIGGER" if "DEFERRED" in when else "TRIGGER"
    with house.owner() as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{code}'; END $$"
        )
        place, _, rest = when.partition(" DEFERRED")
        deferred = "DEFERRABLE INITIALLY DEFERRED" if "DEFERRED" in when else rest
        owner.execute(
            f"CREATE {kind} no_room {place} ON evidence_entries {deferred}"
            " FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
        try:
            yield
        finally:
            owner.execute("DROP TRIGGER no_room ON evidence_entries")


@contextmanager
def _no_table(house: House) -> Iterator[None]:
    with house.owner() as owner:
        owner.execute("ALTER TABLE evidence_entries RENAME TO hidden")
        try:
            yield
        finally:
            owner.execute("ALTER TABLE hidden RENAME TO evidence_entries")


FAULTS = {
    "read-only": _read_only,
    "a trigger that raises": _raising,
    "a trigger that raises at the commit": lambda h: _raising(h, "AFTER INSERT DEFERRED"),
    "a trigger with a code of its own": lambda h: _raising(h, code="XX001"),
    "no table": _no_table,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_where_evidence_cannot_be_written_nothing_is_read_and_nothing_is_done(
    house: House, vault: VaultProcess, fault: str
) -> None:
    shop = Storefront(vault.as_process("gateway"))
    person, blocked = settled(vault, shop), settled(vault, shop)
    delivery = person.orders_goods()
    claim = blocked.is_blocked()
    officer = (("authorization", f"Bearer {house.premises.token()}"),)
    verification = vault_pb2.ReadForVerificationRequest(
        subject_id=blocked.subject_id, claim_id=claim
    )
    attempts: list[Callable[[], object]] = [
        lambda: shop.read(person.subject_id),
        lambda: shop.batch(read_request(person.subject_id), read_request(blocked.subject_id)),
        lambda: shop.read(blocked.subject_id),
        lambda: shop.read("0" * 32),
        lambda: shop.standing(person.subject_id),
        lambda: shop.store(person.subject_id, new_data(), "while-away", form="checkout"),
        lambda: release(vault, delivery.item()),
        lambda: vault.as_process("gateway").call(verification, officer),
    ]
    with FAULTS[fault](house):
        for attempt in attempts:
            with pytest.raises(Refused, match="UNAVAILABLE"):
                attempt()
    assert shop.standing(person.subject_id).data_version == 1
    assert shop.why_not(person.subject_id) == "OK"


def test_a_block_is_not_acknowledged_where_it_cannot_be_recorded(
    house: House, vault: VaultProcess
) -> None:
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    with _read_only(house), pytest.raises(Refused, match="UNAVAILABLE"):
        person.is_blocked()
    assert person.push_claims().verdict == vault_pb2.SliceReceipt.APPLIED
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"


def _await_a_fresh_minute() -> None:
    left = 60 - datetime.now(UTC).second
    if left < 8:
        time.sleep(left + 0.1)


def _count(house: House, principal: str) -> list[int]:
    rows = house.rows(
        'SELECT "count" FROM refusal_tallies WHERE principal = %s ORDER BY fingerprint',
        f"key/{principal}",
    )
    return [count for (count,) in rows]


def test_the_same_refusal_within_a_minute_is_one_entry_with_a_count(
    house: House, vault: VaultProcess
) -> None:
    shop = Storefront(vault.as_process("gateway"), name="insistent")
    one, two = (settled(vault, shop) for _ in range(2))
    one.is_blocked()
    two.is_blocked()
    _await_a_fresh_minute()
    for _ in range(5):
        assert shop.why_not(one.subject_id) == "SUBJECT_BLOCKED"
    outcomes = shop.batch(*[read_request(one.subject_id)] * 3, read_request(two.subject_id))
    assert {reason_of(o) for o in outcomes} == {"SUBJECT_BLOCKED"}
    assert sorted(_count(house, "insistent")) == [1, 8]
    refused = house.entries(principal="key/insistent", outcome="REFUSED")
    assert len(refused) == 2
    assert len({e["subject"] for e in refused}) == 2


def test_past_its_budget_a_key_is_told_so_and_nothing_more_is_written(house: House) -> None:
    frugal = house.start(refusals_per_minute=3)
    shop = Storefront(frugal.as_process("gateway"), name="greedy")
    person = settled(frugal, shop)
    person.is_blocked()
    _await_a_fresh_minute()
    reasons = [shop.why_not(person.subject_id) for _ in range(5)]
    assert reasons == ["SUBJECT_BLOCKED"] * 3 + ["BUDGET_EXHAUSTED"] * 2
    assert reason_of(shop.batch(read_request(person.subject_id))[0]) == "BUDGET_EXHAUSTED"
    with pytest.raises(Refused, match="BUDGET_EXHAUSTED"):
        shop.store(person.subject_id, new_data(), "greedy-1")
    assert _count(house, "greedy") == [3]
    assert len(house.entries(principal="key/greedy", outcome="REFUSED")) == 1
    other = Storefront(frugal.as_process("gateway"), name="modest")
    assert other.why_not(person.subject_id) == "SUBJECT_BLOCKED"


def test_a_budget_that_is_used_up_still_lets_permitted_reads_through(house: House) -> None:
    frugal = house.start(refusals_per_minute=1)
    shop = Storefront(frugal.as_process("gateway"), name="mixed")
    person = settled(frugal, shop)
    _await_a_fresh_minute()
    for _ in range(3):
        shop.why_not("0" * 32)
    assert shop.why_not(person.subject_id) == "OK"


def test_batches_with_the_same_refusals_in_opposite_order_do_not_fail_each_other(
    vault: VaultProcess,
) -> None:
    shop = Storefront(vault.as_process("gateway"), name="crossing")
    blocked = [settled(vault, shop) for _ in range(30)]
    for person in blocked:
        person.is_blocked()
    items = [read_request(person.subject_id) for person in blocked]
    for _ in range(3):
        calls = [
            shop.gateway._calls["BatchReadData"].future(
                vault_pb2.BatchReadDataRequest(items=items if n % 2 else items[::-1]),
                timeout=10,
                metadata=shop.metadata,
            )
            for n in range(8)
        ]
        for call in calls:
            assert {reason_of(o) for o in call.result().outcomes} == {"SUBJECT_BLOCKED"}


def test_an_entry_names_what_it_was_decided_on(house: House, vault: VaultProcess) -> None:
    shop = Storefront(vault.as_process("gateway"), name="careful")
    person = settled(vault, shop)
    claim = person.is_blocked()
    person.outcome(claim, "NOT_CONFIRMED")
    entry_id = shop.read(person.subject_id).entry_id
    [entry] = house.entries(entryId=entry_id)
    held = house.rows(
        "SELECT topic, incarnation, counter, encode(digest, 'hex') FROM slices"
        " WHERE site_id = 'demo' AND subject_id = %s",
        person.subject_id,
    )
    decided = entry["decidedOn"]
    assert decided["slices"] == {topic: [i, c, d] for topic, i, c, d in held}
    assert decided["rulesVersion"] == RULES_VERSION
    assert decided["dataVersion"] == 1
    assert decided["fields"] == ["email", "familyName", "givenName", "phone"]
    assert contract_pb2.Caller.Role.Value(entry["role"]) == contract_pb2.Caller.STOREFRONT


def test_the_running_vault_may_not_change_or_delete_evidence(house: House) -> None:
    rights = house.rows(
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE table_name = ANY(%s) AND grantee = %s",
        ["evidence_entries", "release_entries"],
        house.vault.runtime_url.partition("://")[2].partition(":")[0],
    )
    assert {kind for (kind,) in rights} == {"SELECT", "INSERT"}


def test_a_person_is_named_in_evidence_by_a_pseudonym_that_lives_in_the_key_store(
    house: House, vault: VaultProcess
) -> None:
    shop = Storefront(vault.as_process("gateway"), name="naming")
    person: Person = settled(vault, shop)
    [entry] = house.entries(entryId=shop.read(person.subject_id).entry_id)
    rows = house.rows(
        "SELECT pseudonym FROM data_keys WHERE owner_id = %s", person.subject_id, key_store=True
    )
    assert rows == [(entry["subject"],)]
