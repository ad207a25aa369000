# SPDX-License-Identifier: Apache-2.0
"""A call in parts: two threads at most, every part once, the results in their order."""

import threading

import pytest

from services.chassis.side_by_side import SideBySide


def test_parts_are_worked_on_by_two_at_once_and_answered_in_order() -> None:
    both = threading.Barrier(2, timeout=10)

    def work(part: int) -> int:
        if part < 2:
            both.wait()
        return part * part

    assert SideBySide().each(work, range(9)) == [n * n for n in range(9)]
    assert SideBySide().each(work, []) == []


def test_where_no_thread_is_free_the_caller_does_all() -> None:
    side_by_side, held = SideBySide(threads=1), threading.Event()
    side_by_side._pool.submit(held.wait, 10)
    assert side_by_side.each(str, [1, 2, 3]) == ["1", "2", "3"]
    held.set()


@pytest.mark.parametrize("steps", range(5))
def test_no_part_is_begun_once_it_is_not_to_go_on(steps: int) -> None:
    left = iter([True] * steps)
    done = SideBySide().each(str, range(9), go_on=lambda: next(left, False))
    assert done == [str(n) for n in range(1 + steps)]


@pytest.mark.parametrize("failing", [0, 1, 5])
def test_a_part_that_fails_fails_the_call_and_stops_the_others(failing: int) -> None:
    done = []

    def work(part: int) -> None:
        if part == failing:
            raise IndexError(part)
        done.append(part)

    with pytest.raises(IndexError):
        SideBySide().each(work, range(1000))
    assert len(done) < 999
