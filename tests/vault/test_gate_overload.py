# SPDX-License-Identifier: Apache-2.0
"""However busy the readers keep it, the vault still restricts (threat T27)."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import grpc
import pytest

from services.vault.store import lock_key
from tests.vault.person import Person, settled
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Storefront, read_request, refused

_WORKERS, _CAP = 32, 128
_TURNED_AWAY = 2 * _CAP - _WORKERS


@pytest.fixture
def stuck(house: House, vault: VaultProcess, shop: Storefront) -> Iterator[list[Any]]:
    """Reads that all wait for one subject, which somebody holds: the pool is full."""
    busy = settled(vault, shop)
    with closing(house.owner()) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", (lock_key("demo", busy.subject_id),))
        calls = [
            shop.gateway._calls["ReadData"].future(
                read_request(busy.subject_id), timeout=10, metadata=shop.metadata
            )
            for _ in range(3 * _CAP)
        ]
        until = time.monotonic() + 5.0
        while sum(call.done() for call in calls) < _TURNED_AWAY and time.monotonic() < until:
            time.sleep(0.02)
        assert sum(call.done() for call in calls) >= _TURNED_AWAY, "the pool never filled"
        yield calls
    for call in calls:
        call.exception()


def _reason(call: Any) -> str:
    error = call.exception()
    return refused(error).reason if isinstance(error, grpc.RpcError) else "OK"


def test_a_block_is_answered_while_every_reader_is_stuck(
    stuck: list[Any], vault: VaultProcess, shop: Storefront
) -> None:
    person = Person(vault)
    assert person.accepts() == "APPLIED"
    person.is_blocked()
    vault.wait_until_serving()
    assert shop.why_not(person.subject_id) == "OVERLOADED"
    assert not all(call.done() for call in stuck), "the readers were not stuck"


def test_what_the_pool_cannot_hold_is_turned_away_at_once(
    stuck: list[Any], shop: Storefront
) -> None:
    assert shop.why_not("0" * 32) == "OVERLOADED"
    answered = [call for call in stuck if call.done()]
    assert [_reason(call) for call in answered].count("OVERLOADED") >= _TURNED_AWAY
    # The others still wait: nobody was turned away for having waited too long.
    assert len(answered) < len(stuck), "the readers were not stuck"


def test_when_the_load_is_gone_readers_are_served_again(
    stuck: list[Any], vault: VaultProcess, shop: Storefront
) -> None:
    for call in stuck:
        assert _reason(call) in ("OVERLOADED", "UNAVAILABLE", "OK")
    person = settled(vault, shop)
    assert shop.why_not(person.subject_id) == "OK"
