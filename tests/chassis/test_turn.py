# SPDX-License-Identifier: Apache-2.0
"""Turns: one after the other, and nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.chassis.turn import Turn

_AGES = 60.0


def test_one_works_at_a_time() -> None:
    turn, at_work, most = Turn(_AGES), 0, []

    def work(_: int) -> None:
        nonlocal at_work
        for _again in range(50):
            with turn.taken():
                at_work += 1
                most.append(at_work)
                at_work -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert set(most) == {1}


def test_whoever_has_waited_long_enough_goes_on_beside_the_others() -> None:
    turn, done = Turn(0.01), threading.Event()

    def work() -> None:
        with turn.taken():
            done.set()

    with turn.taken(), ThreadPoolExecutor(1) as pool:
        pool.submit(work)
        assert done.wait(10)


def test_the_turn_passes_on_although_the_work_failed_or_did_not_wait() -> None:
    turn = Turn(0.01)
    with pytest.raises(RuntimeError), turn.taken():
        raise RuntimeError
    with turn.taken(), turn.taken():
        assert turn._lock.locked()
    assert not turn._lock.locked()
