# SPDX-License-Identifier: Apache-2.0
"""What comes in at the same moment is done together, and nobody is spoilt by another."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from services.chassis.refusal import Unavailable
from services.chassis.together import Together
from tests.harness.waiting import wait_until

PATIENCE = 30.0


class _Desk:
    """Work that can be held up: every turn waits for the door, and is written down."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.door = threading.Event()
        self.begun = threading.Semaphore(0)

    def work(self, items: Sequence[int]) -> list[int | Exception]:
        self.turns.append(list(items))
        self.begun.release()
        assert self.door.wait(PATIENCE)
        if 13 in items and len(items) > 1:
            raise RuntimeError
        return [Unavailable(retry_after=1) if item == 7 else 2 * item for item in items]


def _ask(
    pool: ThreadPoolExecutor, together: Together[int, int], items: Sequence[int]
) -> list[Future[int]]:
    return [pool.submit(together.do, item, PATIENCE) for item in items]


def _until_waiting(together: Together[int, int], count: int) -> None:
    wait_until(lambda: len(together._queue) == count, "nobody waits")


def _held(desk: _Desk, together: Together[int, int], pool: ThreadPoolExecutor) -> Future[int]:
    """One item that is being done, behind which others have to wait."""
    [first] = _ask(pool, together, [1])
    assert desk.begun.acquire(timeout=PATIENCE)
    return first


def test_one_that_comes_alone_is_done_alone() -> None:
    desk = _Desk()
    desk.door.set()
    assert Together(desk.work).do(5, PATIENCE) == 10
    assert desk.turns == [[5]]


def test_whoever_waits_is_done_in_one_turn_by_the_next() -> None:
    desk = _Desk()
    together = Together(desk.work, leaders=1, most=4)
    with ThreadPoolExecutor(8) as pool:
        first = _held(desk, together, pool)
        others = _ask(pool, together, [2, 3, 4, 5, 6])
        _until_waiting(together, 5)
        desk.door.set()
        assert first.result() == 2
        assert [each.result() for each in others] == [4, 6, 8, 10, 12]
    assert [len(turn) for turn in desk.turns] == [1, 4, 1]
    assert sorted(item for turn in desk.turns for item in turn) == [1, 2, 3, 4, 5, 6]


def test_as_many_turns_are_taken_at_once_as_there_are_leaders() -> None:
    desk = _Desk()
    together = Together(desk.work, leaders=2)
    with ThreadPoolExecutor(8) as pool:
        asked = [_held(desk, together, pool), _held(desk, together, pool)]
        asked += _ask(pool, together, [3])
        _until_waiting(together, 1)
        assert desk.turns == [[1], [1]]
        desk.door.set()
        assert [each.result() for each in asked] == [2, 2, 6]


def test_an_outcome_that_is_an_exception_is_raised_to_its_caller_alone() -> None:
    desk = _Desk()
    together = Together(desk.work, leaders=1)
    with ThreadPoolExecutor(8) as pool:
        first = _held(desk, together, pool)
        refused, served = _ask(pool, together, [7, 8])
        _until_waiting(together, 2)
        desk.door.set()
        assert (first.result(), served.result()) == (2, 16)
        with pytest.raises(Unavailable):
            refused.result()


def test_one_that_spoils_a_turn_spoils_it_for_nobody_else() -> None:
    desk = _Desk()
    together = Together(desk.work, leaders=1)
    with ThreadPoolExecutor(8) as pool:
        first = _held(desk, together, pool)
        others = _ask(pool, together, [12, 13, 14])
        _until_waiting(together, 3)
        desk.door.set()
        assert [each.result() for each in (first, *others)] == [2, 24, 26, 28]
    assert len(desk.turns[1]) == 3
    assert desk.turns[2:] == [[item] for item in desk.turns[1]]


def test_what_is_nobodys_own_fault_is_told_to_all_and_not_tried_again() -> None:
    desk = _Desk()
    together = Together(
        desk.work, leaders=1, may_be_of_one=lambda error: not isinstance(error, RuntimeError)
    )
    with ThreadPoolExecutor(8) as pool:
        first = _held(desk, together, pool)
        others = _ask(pool, together, [12, 13])
        _until_waiting(together, 2)
        desk.door.set()
        assert first.result() == 2
        for each in others:
            with pytest.raises(RuntimeError):
                each.result()
    assert len(desk.turns) == 2


def test_whoever_gives_up_waiting_is_not_begun() -> None:
    desk = _Desk()
    together = Together(desk.work, leaders=1)
    with ThreadPoolExecutor(8) as pool:
        first = _held(desk, together, pool)
        for timeout in (0.01, 0.0, -2.0):
            with pytest.raises(Unavailable):
                together.do(99, timeout)
        [last] = _ask(pool, together, [3])
        _until_waiting(together, 1)
        desk.door.set()
        assert (first.result(), last.result()) == (2, 6)
    assert desk.turns == [[1], [3]]


def test_after_a_crowd_the_next_one_is_served_as_the_first_was() -> None:
    desk = _Desk()
    desk.door.set()
    together = Together(desk.work, leaders=2, most=3)
    with ThreadPoolExecutor(16) as pool:
        numbers = [number for number in range(200) if number not in (7, 13)]
        assert [each.result() for each in _ask(pool, together, numbers)] == [
            2 * number for number in numbers
        ]
        assert together.do(5, 0.0) == 10
    assert max(map(len, desk.turns)) <= 3
