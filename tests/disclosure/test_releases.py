# SPDX-License-Identifier: Apache-2.0
"""The release of a delivery (clauses 3.4, 5.2, 6.2.2; guarantees I3, I4, I12)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2 as d
from services.chassis.ids import new_uuid
from services.chassis.refusal import NotAvailable, Refusal
from services.disclosure import store_ledger, store_releases, wire
from services.disclosure.servicer_concluding import Concluding
from tests.disclosure.house import (
    OTHER_SITE,
    STOREFRONT,
    House,
    Killed,
    courier,
    release,
)

Outcome = d.Disclosure


def _states(house: House) -> list[str]:
    return [r.state for r in house.rows("SELECT state FROM releases ORDER BY release_id")]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("COURIER", {"order_id", "name", "phone", "address"}),
        ("POSTAL", {"order_id", "name", "phone", "address"}),
        ("TELECOM", {"order_id", "phone"}),
    ],
)
def test_a_recipient_gets_only_the_fields_of_its_kind(
    house: House, kind: str, fields: set[str]
) -> None:
    recipient = house.recipient(kind)
    answer = house.call(recipient, release(house.delivery(recipient)))
    assert {f.name for f, _ in answer.details.ListFields()} == fields
    assert answer.details.order_id == "A-1001"
    assert "name" not in fields or answer.details.name == "Әбілқайырұлы Нұрсұлтан Ғалымұлы"
    assert b"example.kz" not in answer.SerializeToString()
    (line,) = house.ledger()
    assert "email" not in line.fields
    assert ("address" in line.fields) == ("address" in fields)


def test_a_release_stands_in_ledger_and_evidence_with_the_vaults_entry(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    answer = house.call(recipient, release(delivery_id))
    (line,) = house.ledger()
    assert (line.disclosure_id, line.outcome) == (answer.release_id, Outcome.RELEASED)
    assert (line.clause, line.recipient_name) == ("5.2", "Жеткізу 0")
    assert line.recipient_kind == d.Recipient.COURIER
    (row,) = house.rows("SELECT * FROM releases")
    assert row.entry_id == house.vault.entries[answer.release_id]
    (entry,) = house.rows("SELECT * FROM evidence_entries WHERE event = 'delivery.released'")
    assert row.entry_id in entry.body
    assert answer.release_id in entry.body
    assert "Нұрсұлтан" not in entry.body


def test_a_repeat_decides_again_and_points_to_the_first(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    first = house.call(recipient, release(delivery_id, "k1"))
    house.pass_time(1)
    second = house.call(recipient, release(delivery_id, "k1"))
    house.pass_time(1)
    third = house.call(recipient, release(delivery_id))
    assert len({first.release_id, second.release_id, third.release_id}) == 3
    assert first.details == second.details == third.details
    lines = house.ledger()
    assert [line.outcome for line in lines] == [Outcome.REPEAT, Outcome.REPEAT, Outcome.RELEASED]
    assert {line.first_disclosure_id for line in lines[:2]} == {first.release_id}
    house.vault.refuses_releases = "SUBJECT_BLOCKED"
    assert house.refused(recipient, release(delivery_id, "k1")) == "NOT_AVAILABLE"


def test_every_cause_looks_the_same_to_the_recipient(house: House) -> None:
    mine, other = house.recipient(), house.recipient(number=1)
    stranger, elsewhere = courier(new_uuid()), house.recipient(site_id=OTHER_SITE)
    delivery_id = house.delivery(mine)
    for asker, asked in (
        (mine, new_uuid()),
        (other, delivery_id),
        (stranger, delivery_id),
        (elsewhere, delivery_id),
    ):
        with pytest.raises(Refusal) as refused:
            house.call(asker, release(asked))
        status = refused.value.to_status("ref")
        assert status == _not_available("ref")
    house.vault.refuses_releases = "SUBJECT_BLOCKED"
    assert house.refused(mine, release(delivery_id)) == "NOT_AVAILABLE"
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001"))
    assert house.refused(mine, release(delivery_id)) == "NOT_AVAILABLE"


def test_every_refusal_is_in_the_ledger_with_its_clause(house: House) -> None:
    mine, other = house.recipient(), house.recipient(number=1)
    stranger = courier(new_uuid())
    delivery_id = house.delivery(mine)
    for act in (
        lambda: house.refused(other, release(delivery_id)),
        lambda: house.refused(stranger, release(delivery_id)),
        lambda: _blocked(house, lambda: house.refused(mine, release(delivery_id))),
        lambda: house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001")),
        lambda: house.refused(mine, release(delivery_id)),
    ):
        act()
        house.pass_time(1)
    told = [(_reason(line.reason), line.clause, line.recipient_id) for line in house.ledger()]
    assert told == [
        ("NO_ACTIVE_ORDER", "5.2", mine.recipient_id),
        ("SUBJECT_BLOCKED", "6.2.3", mine.recipient_id),
        ("RECIPIENT_NOT_PERMITTED", "6.2.2", stranger.recipient_id),
        ("ORDER_RECIPIENT_MISMATCH", "5.2", other.recipient_id),
    ]
    assert {line.outcome for line in house.ledger()} == {Outcome.REFUSED}
    entries = house.rows(
        "SELECT body FROM evidence_entries WHERE event = 'delivery.released' ORDER BY entry_id"
    )
    assert len(entries) == 4
    assert _states(house) == ["REFUSED"]


def test_repeated_refusals_count_on_one_line_of_their_minute(house: House) -> None:
    mine, other = house.recipient(), house.recipient(number=1)
    delivery_id = house.delivery(mine)
    for _ in range(3):
        house.refused(other, release(delivery_id))
        house.pass_time(19)
    house.pass_time(5)
    house.refused(other, release(delivery_id))
    assert [line.count for line in house.ledger()] == [1, 3]
    events = house.rows("SELECT 1 FROM evidence_entries WHERE event = 'delivery.released'")
    assert len(events) == 2


def test_an_unknown_delivery_is_in_evidence_and_in_nobodys_ledger(house: House) -> None:
    recipient = house.recipient()
    unknown = new_uuid()
    assert house.refused(recipient, release(unknown)) == "NOT_AVAILABLE"
    (entry,) = house.rows("SELECT * FROM evidence_entries WHERE event = 'delivery.released'")
    assert unknown in entry.body
    assert "NOT_FOUND" in entry.body
    assert house.rows("SELECT 1 FROM disclosures") == []


def test_without_a_budget_refusals_are_refused_before_evidence(house: House) -> None:
    small = House(house.database, refusals_per_minute=2)
    mine, other = small.recipient(), small.recipient(number=1)
    delivery_id = small.delivery(mine)
    reasons = [small.refused(other, release(delivery_id)) for _ in range(4)]
    assert reasons == ["NOT_AVAILABLE", "NOT_AVAILABLE", "BUDGET_EXHAUSTED", "BUDGET_EXHAUSTED"]
    assert [line.count for line in small.ledger()] == [2]


def test_a_vault_that_cannot_be_heard_leaves_the_release_prepared(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    house.vault.down = True
    assert house.refused(recipient, release(delivery_id)) == "UNAVAILABLE"
    assert _states(house) == ["PREPARED"]
    assert house.ledger() == []
    house.pass_time(11)
    assert house.reconciler.reconcile() == 0
    house.vault.down = False
    assert house.reconciler.reconcile() == 1
    assert _states(house) == ["WITHDRAWN"]
    assert house.ledger() == []


def test_a_vault_that_is_not_ready_has_decided_nothing(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    house.vault.refuses_releases = "VAULT_NOT_READY"
    assert house.refused(recipient, release(delivery_id)) == "VAULT_NOT_READY"
    assert _states(house) == ["WITHDRAWN"]
    assert house.ledger() == []


def test_evidence_that_cannot_be_written_keeps_the_data_in(
    house: House, locked_evidence: Callable[[], AbstractContextManager[None]]
) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    with locked_evidence():
        assert house.refused(recipient, release(delivery_id)) == "UNAVAILABLE"
        assert house.refused(courier(new_uuid()), release(delivery_id)) == "UNAVAILABLE"
    assert house.ledger() == []
    assert _states(house) == ["PREPARED"]


def _kill(*_args: object, **_kwargs: object) -> None:
    raise Killed


_CONCLUDE = Concluding.conclude


def _kill_after(*args: Any) -> None:
    _CONCLUDE(*args)
    raise Killed


# Where the process ends → what the release is then, and what the reconciler makes of it.
STEPS: dict[str, tuple[object, str, str, str]] = {
    "before PREPARED": (store_releases, "prepare", "", ""),
    "before the vault": (wire, "release_item", "PREPARED", "WITHDRAWN"),
    "after the vault": (wire, "released_fields", "PREPARED", "UNCERTAIN"),
    "before RELEASED": (store_releases, "end_left", "PREPARED", "UNCERTAIN"),
    "before the ledger": (store_ledger, "record_left", "PREPARED", "UNCERTAIN"),
    "after RELEASED": (Concluding, "conclude", "RELEASED", "RELEASED"),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_no_data_leave_without_a_record(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    module, name, left, reconciled = STEPS[step]
    with monkeypatch.context() as patch:
        patch.setattr(module, name, _kill_after if name == "conclude" else _kill)
        with pytest.raises(Killed):
            house.call(recipient, release(delivery_id, "k1"))
    assert _states(house) == ([left] if left else [])
    assert len(house.ledger()) == (left == "RELEASED")
    house.pass_time(11)
    house.reconciler.reconcile()
    assert [s.removeprefix("RELEASED_") for s in _states(house)] == (
        [reconciled] if reconciled else []
    )
    if reconciled == "UNCERTAIN":
        (line,) = house.ledger()
        assert line.outcome == Outcome.RELEASED_UNCERTAIN
    elif reconciled == "WITHDRAWN":
        assert house.ledger() == []
    house.pass_time(1)
    assert house.call(recipient, release(delivery_id, "k1")).details.phone
    repeated = reconciled in ("UNCERTAIN", "RELEASED")
    assert house.ledger()[0].outcome == (Outcome.REPEAT if repeated else Outcome.RELEASED)
    assert house.reconciler.reconcile() == 0


def _counted(house: House) -> list[bool]:
    return [r.counted for r in house.rows("SELECT counted FROM releases ORDER BY release_id")]


def test_a_repeat_counts_where_nothing_left_by_what_it_repeats(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    with monkeypatch.context() as patch:
        patch.setattr(wire, "release_item", _kill)
        with pytest.raises(Killed):
            house.call(recipient, release(delivery_id))
    house.pass_time(5)
    for _ in range(2):
        house.call(recipient, release(delivery_id))
        house.pass_time(1)
    assert _counted(house) == [True, False, False]
    house.pass_time(6)
    assert house.reconciler.reconcile() == 1
    assert _states(house) == ["WITHDRAWN", "RELEASED", "RELEASED"]
    assert _counted(house) == [True, True, False]


def test_a_repeat_counts_where_the_vault_refused_what_it_repeats(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)

    def repeated() -> None:
        house.vault.after_read = lambda: None
        refuses, house.vault.refuses_releases = house.vault.refuses_releases, ""
        house.call(recipient, release(delivery_id))
        house.vault.refuses_releases = refuses

    house.vault.refuses_releases, house.vault.after_read = "SUBJECT_BLOCKED", repeated
    assert house.refused(recipient, release(delivery_id)) == "NOT_AVAILABLE"
    assert _states(house) == ["REFUSED", "RELEASED"]
    assert _counted(house) == [True, True]


def test_a_killed_refusal_is_withdrawn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    house.vault.refuses_releases = "SUBJECT_BLOCKED"
    with monkeypatch.context() as patch:
        patch.setattr(store_ledger, "record_refusals", _kill)
        with pytest.raises(Killed):
            house.call(recipient, release(delivery_id))
    assert _states(house) == ["PREPARED"]
    house.pass_time(11)
    assert house.reconciler.reconcile() == 1
    assert _states(house) == ["WITHDRAWN"]


def test_what_the_reconciler_has_ended_never_leaves(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)

    def overtake() -> None:
        house.pass_time(11)
        assert house.reconciler.reconcile() == 1

    house.vault.after_read = overtake
    assert house.refused(recipient, release(delivery_id)) == "UNAVAILABLE"
    assert _states(house) == ["RELEASED_UNCERTAIN"]
    assert [line.outcome for line in house.ledger()] == [Outcome.RELEASED_UNCERTAIN]


def test_a_young_release_is_left_to_its_handler(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)

    def look() -> None:
        house.pass_time(9)
        assert house.reconciler.reconcile() == 0

    house.vault.after_read = look
    house.call(recipient, release(delivery_id))
    assert _states(house) == ["RELEASED"]


def test_no_time_left_no_release(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    with pytest.raises(Refusal) as refused:
        house.call(recipient, release(delivery_id), seconds=0.4)
    assert refused.value.reason == "DEADLINE_EXCEEDED"
    assert _states(house) == []


def _blocked(house: House, act: Callable[[], object]) -> None:
    house.vault.refuses_releases = "SUBJECT_BLOCKED"
    act()
    house.vault.refuses_releases = ""


def _reason(number: contract_pb2.Refusal.Reason.ValueType) -> str:
    return contract_pb2.Refusal.Reason.Name(number)


def _not_available(reference: str) -> object:
    return NotAvailable().to_status(reference)
