# SPDX-License-Identifier: Apache-2.0
"""A recipient's whole morning in one call (clause 5.2): one outcome per delivery."""

from collections.abc import Callable
from typing import Any

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2 as d
from qupia.disclosure.v1 import manifest_pb2 as m
from qupia.vault.v1 import vault_pb2
from services.chassis.database import Database
from services.chassis.identity import Principal
from services.chassis.ids import new_uuid
from services.disclosure import servicer_releases, store_releases
from tests.disclosure.house import STOREFRONT, House, Killed, release
from tests.harness.statements import heard_statements

Outcome = d.Disclosure


def _asked(*delivery_ids: str, size: int = 0, token: str = "") -> m.ReleaseManifestRequest:
    return m.ReleaseManifestRequest(delivery_ids=delivery_ids, page_size=size, page_token=token)


def _told(answer: m.ReleaseManifestResponse) -> list[str]:
    """What became of each: OK or the problem's code."""
    return [
        contract_pb2.Refusal.Reason.Name(o.problem.code) if o.HasField("problem") else "OK"
        for o in answer.outcomes
    ]


def _morning(house: House, recipient: Principal, count: int) -> list[str]:
    return [house.delivery(recipient, f"A-{n}") for n in range(count)]


def test_every_live_delivery_is_released_with_its_own_line_and_receipt(house: House) -> None:
    """T-5.2-a"""
    recipient = house.recipient()
    asked = _morning(house, recipient, 3)
    answer = house.call(recipient, _asked())
    assert [o.delivery_id for o in answer.outcomes] == asked
    assert _told(answer) == ["OK"] * 3
    assert not answer.next_page_token
    assert {o.released.details.order_id for o in answer.outcomes} == {"A-0", "A-1", "A-2"}
    lines = {line.disclosure_id: line for line in house.ledger()}
    assert set(lines) == {o.released.release_id for o in answer.outcomes}
    assert {line.outcome for line in lines.values()} == {Outcome.RELEASED}
    assert len(house.rows("SELECT 1 FROM evidence_entries WHERE event = 'delivery.released'")) == 3


@pytest.mark.parametrize("place", range(4))
def test_one_refused_member_never_affects_the_others(house: House, place: int) -> None:
    """T-5.2-b"""
    mine, other = house.recipient(), house.recipient(number=1)
    asked = _morning(house, mine, 3)
    asked.insert(place, house.delivery(other, "B-1"))
    answer = house.call(mine, _asked(*asked))
    expected = ["OK"] * 4
    expected[place] = "NOT_AVAILABLE"
    assert _told(answer) == expected
    refused = next(line for line in house.ledger() if line.outcome == Outcome.REFUSED)
    assert answer.outcomes[place].problem.reference == refused.disclosure_id
    assert refused.rule == "assigned-to-another"


def test_every_cause_is_the_same_to_the_recipient_and_told_by_its_reference(house: House) -> None:
    """T-5.2-c"""
    mine, other = house.recipient(), house.recipient(number=1)
    closed, anothers = house.delivery(mine, "A-1"), house.delivery(other, "A-2")
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1"))
    unknown = new_uuid()
    answer = house.call(mine, _asked(closed, anothers, unknown))
    assert _told(answer) == ["NOT_AVAILABLE"] * 3
    references = [o.problem.reference for o in answer.outcomes]
    assert len(set(references)) == 3
    told = [
        house.call(STOREFRONT, d.GetDisclosureRequest(disclosure_id=each)).disclosure
        for each in references[:2]
    ]
    assert [line.rule for line in told] == ["order-not-open", "assigned-to-another"]
    entry = f"SELECT event FROM evidence_entries WHERE entry_id = '{references[2]}'"
    assert [row.event for row in house.rows(entry)] == ["delivery.released"]


def test_a_manifest_goes_on_where_its_page_ended(house: House) -> None:
    recipient = house.recipient()
    asked = _morning(house, recipient, 5)
    seen: list[str] = []
    token = ""
    while True:
        answer = house.call(recipient, _asked(size=2, token=token))
        seen += [o.delivery_id for o in answer.outcomes]
        token = answer.next_page_token
        if not token:
            break
    assert seen == asked
    first = house.call(recipient, _asked(*asked, size=3))
    rest = house.call(recipient, _asked(*asked, size=3, token=first.next_page_token))
    assert [o.delivery_id for o in (*first.outcomes, *rest.outcomes)] == asked
    # A token is of its own manifest.
    named = _asked(*asked[:4], size=3, token=first.next_page_token)
    assert house.refused(recipient, named) == "INVALID_ARGUMENT"


def test_a_manifest_goes_as_far_as_its_callers_time_and_on_from_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer_releases, "_CHUNK", 2)
    recipient = house.recipient()
    asked = _morning(house, recipient, 5)
    # Enough for the first two, and too little to begin with others.
    hurried = house.call(recipient, _asked(*asked), seconds=1.9)
    assert [o.delivery_id for o in hurried.outcomes] == asked[:2]
    rest = house.call(recipient, _asked(*asked, token=hurried.next_page_token))
    assert [o.delivery_id for o in rest.outcomes] == asked[2:]
    assert not rest.next_page_token
    lines = {line.disclosure_id: line.outcome for line in house.ledger()}
    told = [o.released.release_id for o in (*hurried.outcomes, *rest.outcomes)]
    assert lines == dict.fromkeys(told, Outcome.RELEASED)


def test_a_page_asked_for_again_repeats_without_counting(house: House) -> None:
    recipient = house.recipient()
    asked = _morning(house, recipient, 2)
    house.call(recipient, _asked())
    again = house.call(recipient, _asked())
    assert _told(again) == ["OK", "OK"]
    assert all(o.released.first_release_id for o in again.outcomes)
    fetched = house.call(recipient, d.ListDeliveriesRequest()).deliveries
    assert [(x.delivery_id, x.fetches) for x in fetched] == [(each, 1) for each in asked]


def test_a_delivery_named_twice_leaves_once_and_is_repeated(house: House) -> None:
    recipient = house.recipient()
    (delivery_id,) = _morning(house, recipient, 1)
    answer = house.call(recipient, _asked(delivery_id, delivery_id))
    first, second = (o.released for o in answer.outcomes)
    assert (first.first_release_id, second.first_release_id) == ("", first.release_id)
    assert sorted(line.outcome for line in house.ledger()) == [Outcome.RELEASED, Outcome.REPEAT]


def test_without_the_vault_nothing_leaves_and_each_may_be_asked_for_again(house: House) -> None:
    recipient = house.recipient()
    _morning(house, recipient, 2)
    house.vault.down = True
    assert _told(house.call(recipient, _asked())) == ["UNAVAILABLE"] * 2
    house.vault.down = False
    house.pass_time(11)
    assert house.reconciler.reconcile() == 2
    assert house.ledger() == []
    assert _told(house.call(recipient, _asked())) == ["OK", "OK"]


def test_killed_between_the_transactions_no_data_leave_without_a_record(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient = house.recipient()
    _morning(house, recipient, 3)

    def kill(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store_releases, "end_left", kill)
        with pytest.raises(Killed):
            house.call(recipient, _asked())
    assert house.ledger() == []
    house.pass_time(11)
    assert house.reconciler.reconcile() == 3
    assert {line.outcome for line in house.ledger()} == {Outcome.RELEASED_UNCERTAIN}
    answer = house.call(recipient, _asked())
    assert all(o.released.first_release_id for o in answer.outcomes)


def _closed(house: House) -> None:
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-0"))


def _given_to_another(house: House) -> None:
    house.assign(house.recipient(number=1), "A-0")


@pytest.mark.parametrize(
    ("change", "rule"),
    [(_closed, "order-not-open"), (_given_to_another, "assignment-ended")],
)
def test_what_changes_while_the_vault_is_asked_is_withheld(
    house: House, change: Callable[[House], None], rule: str
) -> None:
    """T-5.2-b: once the storefront has its answer, nothing leaves by the former assignment."""
    recipient = house.recipient()
    (delivery_id,) = _morning(house, recipient, 1)
    house.vault.after_read = lambda: change(house)
    assert house.refused(recipient, release(delivery_id)) == "NOT_AVAILABLE"
    (line,) = house.ledger()
    assert (line.outcome, line.rule, list(line.fields)) == (Outcome.REFUSED, rule, [])
    (row,) = house.rows("SELECT state, entry_id FROM releases")
    assert (row.state, row.entry_id) == ("WITHHELD", house.vault.entries[line.disclosure_id])


def test_one_member_that_spoils_the_transaction_is_tried_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient = house.recipient()
    asked = _morning(house, recipient, 3)
    real = store_releases.end_left

    def spoilt(connection: Any, ended: Any, *rest: Any) -> Any:
        if any(each.release.delivery_id == asked[1] for each in ended):
            raise RuntimeError("a defect")
        return real(connection, ended, *rest)

    monkeypatch.setattr(store_releases, "end_left", spoilt)
    assert _told(house.call(recipient, _asked())) == ["OK", "INTERNAL", "OK"]
    assert len(house.ledger()) == 2


def test_many_take_as_many_statements_as_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = house.recipient()
    asked = _morning(house, recipient, 9)
    told = heard_statements(monkeypatch)
    assert _told(house.call(recipient, _asked(asked[0]))) == ["OK"]
    of_one = len(told)
    assert _told(house.call(recipient, _asked(*asked[1:]))) == ["OK"] * 8
    assert 9 <= of_one == len(told) - of_one


def _refused_by_the_broker(house: House, _mine: Principal, other: Principal, n: int) -> list[str]:
    """Deliveries that another has, and ones that never were."""
    anothers = [house.delivery(other, new_uuid()) for _ in range(n)]
    return anothers + [new_uuid() for _ in range(n)]


def _refused_by_the_vault(house: House, mine: Principal, _other: Principal, n: int) -> list[str]:
    house.vault.refuses_releases = "SUBJECT_BLOCKED"
    return [house.delivery(mine, new_uuid()) for _ in range(n)]


def _withheld(house: House, mine: Principal, _other: Principal, n: int) -> list[str]:
    orders = [new_uuid() for _ in range(n)]
    asked = [house.delivery(mine, each) for each in orders]

    def close() -> None:
        for each in orders:
            house.call(STOREFRONT, d.CloseOrderRequest(order_id=each))

    house.vault.after_read = close
    return asked


@pytest.mark.parametrize("refusing", [_refused_by_the_broker, _refused_by_the_vault, _withheld])
def test_many_refused_take_as_many_statements_as_one(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    refusing: Callable[[House, Principal, Principal, int], list[str]],
) -> None:
    """And each has a line and an entry of its own nevertheless."""
    mine, other = house.recipient(), house.recipient(number=1)
    (one, few), (many, statements) = (
        _refused(house, monkeypatch, mine, refusing(house, mine, other, n)) for n in (1, 8)
    )
    assert len(one & many) == 0
    assert 9 <= few == statements
    lines = {line.disclosure_id for line in house.ledger() if line.outcome == Outcome.REFUSED}
    assert len(lines) == 1 + 8
    entries = house.rows(
        "SELECT entry_id FROM evidence_entries"
        " WHERE outcome = 'REFUSED' AND event = 'delivery.released'"
    )
    assert len(entries) == len(one | many)
    assert one | many == lines | {e.entry_id for e in entries} & (one | many)


def _refused(
    house: House, monkeypatch: pytest.MonkeyPatch, mine: Principal, asked: list[str]
) -> tuple[set[str], int]:
    """The references of deliveries that are all refused, and the statements that it took."""
    meanwhile = house.vault.after_read
    with monkeypatch.context() as patch:
        told = heard_statements(patch)

        def uncounted() -> None:
            before = len(told)
            meanwhile()
            del told[before:]

        patch.setattr(house.vault, "after_read", uncounted)
        answer = house.call(mine, _asked(*asked))
    assert _told(answer) == ["NOT_AVAILABLE"] * len(asked)
    references = {o.problem.reference for o in answer.outcomes}
    assert len(references) == len(asked)
    return references, len(told)


def test_a_refused_delivery_named_often_is_one_line_that_counts(house: House) -> None:
    mine, other = house.recipient(), house.recipient(number=1)
    anothers, unknown = house.delivery(other, "B-1"), new_uuid()
    references = set()
    for times in (3, 2):
        answer = house.call(mine, _asked(*[anothers, unknown] * times))
        assert _told(answer) == ["NOT_AVAILABLE"] * 2 * times
        references |= {o.problem.reference for o in answer.outcomes}
    assert len(references) == 2
    (line,) = house.ledger()
    assert line.disclosure_id in references
    assert line.count == 5
    tallied = house.rows("SELECT count, entry_id FROM refusal_tallies ORDER BY count, entry_id")
    assert [row.count for row in tallied] == [5, 5]
    entries = house.rows("SELECT entry_id FROM evidence_entries WHERE outcome = 'REFUSED'")
    assert {row.entry_id for row in entries} == {row.entry_id for row in tallied}


def test_beyond_the_budget_of_refusals_nothing_is_written(database: Database) -> None:
    house = House(database, refusals_per_minute=3)
    mine, other = house.recipient(), house.recipient(number=1)
    asked = [house.delivery(other, f"B-{n}") for n in range(5)]
    told = _told(house.call(mine, _asked(*asked)))
    assert sorted(told) == ["BUDGET_EXHAUSTED"] * 2 + ["NOT_AVAILABLE"] * 3
    assert len(house.ledger()) == 3
    assert len(house.rows("SELECT 1 FROM evidence_entries WHERE outcome = 'REFUSED'")) == 3


def test_the_vault_is_asked_once_for_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = house.recipient()
    _morning(house, recipient, 4)
    sizes: list[int] = []
    real = type(house.vault).read_for_release

    def counted(
        vault: Any, request: vault_pb2.ReadForReleaseRequest, timeout: float
    ) -> vault_pb2.ReadForReleaseResponse:
        sizes.append(len(request.items))
        return real(vault, request, timeout)

    monkeypatch.setattr(type(house.vault), "read_for_release", counted)
    again = House(house.database)
    again.vault.subjects = house.vault.subjects
    assert _told(again.call(recipient, _asked())) == ["OK"] * 4
    assert sizes == [4]
