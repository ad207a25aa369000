# SPDX-License-Identifier: Apache-2.0
"""Turns: one after the other, and nobody waits for ever."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.chassis.turn import Turn

_AGES = 60.0


def test_one_works_at_a_time() -> None:
    turn, at_work, most = Turn(_AGES), 0, []

    def work(_: int) -> None:
        nonlocal at_work
        for _again in range(5):
            with turn.taken():
                at_work += 1
                time.sleep(0.001)
                most.append(at_work)
                at_work -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert set(most) == {1}


def test_whoever_has_waited_long_enough_goes_on_beside_the_others_and_ends_nobodys_turn() -> None:
    turn = Turn(0.01)

    def work() -> None:
        with turn.taken():
            pass

    with ThreadPoolExecutor(1) as pool, turn.taken():
        pool.submit(work).result(10)
        assert turn._lock.locked()


def test_the_turn_passes_on_although_the_work_failed() -> None:
    turn = Turn(_AGES)
    with pytest.raises(RuntimeError), turn.taken():
        raise RuntimeError
    assert not turn._lock.locked()
