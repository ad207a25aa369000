# SPDX-License-Identifier: Apache-2.0
"""However busy the readers keep it, the vault still restricts (threat T27)."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from services.vault.store import lock_key
from tests.harness.waiting import PATIENCE_SECONDS, wait_until
from tests.vault.person import Person, settled
from tests.vault.vault_process import Premises, VaultProcess
from tests.vault.wire_client import Storefront, read_request, refused

_WORKERS, _CAP = 32, 128
_TURNED_AWAY = 2 * _CAP - _WORKERS


@dataclass
class Stuck:
    """Reads that wait for a subject that somebody holds; `let_go` ends that."""

    vault: VaultProcess
    shop: Storefront
    calls: list[Any]
    let_go: Callable[[], object]


@pytest.fixture(scope="module")
def patient(premises: Premises) -> Iterator[VaultProcess]:
    """A vault whose reads wait as long as it takes: none ends while a slow machine sends others."""
    house = premises.house("overload")
    process = house.start(database_timeout_ms=60_000)
    house.open(process)
    yield process
    house.close()


@pytest.fixture
def stuck(patient: VaultProcess) -> Iterator[Stuck]:
    """The pool is full."""
    shop = Storefront(patient.as_process("gateway"))
    busy = settled(patient, shop)
    with closing(patient.house.owner()) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", (lock_key("demo", busy.subject_id),))
        calls = [
            shop.gateway._calls["ReadData"].future(
                read_request(busy.subject_id), timeout=PATIENCE_SECONDS, metadata=shop.metadata
            )
            for _ in range(3 * _CAP)
        ]
        wait_until(
            lambda: sum(call.done() for call in calls) >= _TURNED_AWAY, "the pool never filled"
        )
        yield Stuck(patient, shop, calls, lambda: owner.execute("SELECT pg_advisory_unlock_all()"))
    for call in calls:
        call.exception()


def _reason(call: Any) -> str:
    error = call.exception()
    return refused(error).reason if isinstance(error, grpc.RpcError) else "OK"


def test_a_block_is_answered_while_every_reader_is_stuck(stuck: Stuck) -> None:
    person = Person(stuck.vault)
    assert person.accepts() == "APPLIED"
    person.is_blocked()
    stuck.vault.wait_until_serving()
    assert stuck.shop.why_not(person.subject_id) == "OVERLOADED"
    assert not all(call.done() for call in stuck.calls), "the readers were not stuck"


def test_what_the_pool_cannot_hold_is_turned_away_at_once(stuck: Stuck) -> None:
    assert stuck.shop.why_not("0" * 32) == "OVERLOADED"
    answered = [call for call in stuck.calls if call.done()]
    assert [_reason(call) for call in answered].count("OVERLOADED") >= _TURNED_AWAY
    # The others still wait: nobody was turned away for having waited too long.
    assert len(answered) < len(stuck.calls), "the readers were not stuck"


def test_when_the_load_is_gone_readers_are_served_again(stuck: Stuck) -> None:
    stuck.let_go()
    assert {_reason(call) for call in stuck.calls} == {"OVERLOADED", "OK"}
    person = settled(stuck.vault, stuck.shop)
    assert stuck.shop.why_not(person.subject_id) == "OK"
