# SPDX-License-Identifier: Apache-2.0
"""Hearing of blocks and ends, and telling those who hold the data (6.2.3, Law 24(1)(3))."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from qupia.disclosure.v1 import disclosure_pb2 as d
from services.chassis.ids import new_uuid
from services.chassis.refusal import (
    InvalidArgument,
    Overloaded,
    PermissionDenied,
    Refusal,
    Unavailable,
    VaultNotReady,
)
from services.disclosure.notice import Recall
from services.disclosure.recaller import Heard, Recaller
from tests.disclosure.house import SITE, START, STOREFRONT, SUBJECT, House, release

LIFE = new_uuid()
_Answer = Heard | Refusal


class Listened:
    """Answers one after another, the last for ever; `cursors` are what it was asked after."""

    def __init__(self, answers: Sequence[_Answer]) -> None:
        self._answers = list(answers)
        self.cursors: list[str] = []

    def __call__(self, cursor: str, _timeout: float) -> Heard:
        self.cursors.append(cursor)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Refusal):
            raise answer
        return answer


def _blocked(cursor: str = "1/a") -> Heard:
    return Heard([Recall(new_uuid(), SITE, SUBJECT, "BLOCKED", START)], cursor, LIFE)


def _recaller(house: House, *answers: _Answer) -> tuple[Recaller, Listened]:
    listened = Listened(answers)
    return Recaller(house.database, listened, house.clock), listened


def _told(house: House) -> list[Any]:
    return [row.instruction for row in house.rows("SELECT instruction FROM notices")]


@pytest.fixture
def holder(house: House) -> House:
    """A broker of which a courier holds the data of a delivery."""
    recipient = house.recipient()
    house.call(recipient, release(house.delivery(recipient)))
    return house


@pytest.mark.parametrize("later", [Unavailable(), Overloaded(), VaultNotReady()])
def test_a_vault_that_cannot_be_heard_is_asked_again_later(holder: House, later: Refusal) -> None:
    recaller, _ = _recaller(holder, _blocked(), later)
    recaller.round()
    assert _told(holder) == ["STOP_USING"]


def test_whoever_is_known_to_hold_data_is_told_although_the_vault_refuses(holder: House) -> None:
    """The refusal is an alarm, and stops nobody from being told."""
    recaller, _ = _recaller(holder, _blocked(), PermissionDenied())
    with pytest.raises(PermissionDenied):
        recaller.round()
    assert _told(holder) == ["STOP_USING"]


def _lifted() -> Heard:
    return Heard([Recall(new_uuid(), SITE, SUBJECT, "LIFTED", START)], "2/b", LIFE)


def test_whoever_still_has_the_delivery_goes_on_when_the_block_is_lifted(holder: House) -> None:
    _recaller(holder, _blocked(), _lifted())[0].round()
    assert sorted(_told(holder)) == ["RESUME", "STOP_USING"]


@pytest.mark.parametrize("end", ["closed", "reassigned"])
def test_whoever_lost_the_delivery_has_nothing_to_go_on_with(holder: House, end: str) -> None:
    """T-5.2-c"""
    if end == "closed":
        holder.call(STOREFRONT, d.CloseOrderRequest(order_id="A-1001"))
    else:
        holder.delivery(holder.recipient(number=1))
    _recaller(holder, _blocked(), _lifted())[0].round()
    assert _told(holder) == ["STOP_USING"]
    assert holder.rows("SELECT 1 FROM recalls WHERE NOT settled") == []


def test_a_cursor_that_the_vault_does_not_know_begins_again(holder: House) -> None:
    _recaller(holder, Heard([], "9/z", LIFE))[0].round()
    recaller, listened = _recaller(holder, InvalidArgument(), _blocked())
    recaller.round()
    assert listened.cursors[:2] == ["9/z", ""]
    assert _told(holder) == ["STOP_USING"]


def test_a_change_belongs_to_the_last_life_of_the_vault_that_told_of_it(holder: House) -> None:
    """What the present life does not tell of was forgotten by a restore, or is made up."""
    forgotten, kept = _blocked("1/a"), _blocked("2/b")
    restored = replace(kept, cursor="1/c", vault_incarnation=new_uuid())
    recaller, _ = _recaller(holder, forgotten, kept, restored)
    for _ in range(2):
        recaller.round()
    lives = holder.rows("SELECT change_id, vault_incarnation FROM recalls")
    assert {tuple(row) for row in lives} == {
        (forgotten.recalls[0].change_id, LIFE),
        (kept.recalls[0].change_id, restored.vault_incarnation),
    }
