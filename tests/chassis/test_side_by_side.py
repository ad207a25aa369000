# SPDX-License-Identifier: Apache-2.0
"""A call in parts: few threads at most, every part once, the results in their order."""

import threading
import time

import pytest

from services.chassis.side_by_side import SideBySide


@pytest.mark.parametrize("beside", [1, 3])
def test_parts_are_worked_on_by_so_many_at_once_and_answered_in_order(beside: int) -> None:
    all_ = threading.Barrier(1 + beside, timeout=10)

    def work(part: int) -> int:
        if part < 1 + beside:
            all_.wait()
        return part * part

    side_by_side = SideBySide(beside=beside)
    assert side_by_side.each(work, range(9)) == [n * n for n in range(9)]
    assert side_by_side.each(work, []) == []


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


def test_a_call_ends_when_none_of_its_parts_is_worked_on_any_more() -> None:
    """Also where one of them has failed."""
    begun, failed, ended = threading.Barrier(3, timeout=10), threading.Event(), []

    def work(part: int) -> None:
        begun.wait()
        if part == 0:
            failed.set()
            raise IndexError
        assert failed.wait(10)
        ended.append(part)

    with pytest.raises(IndexError):
        SideBySide(beside=2).each(work, range(3))
    assert sorted(ended) == [1, 2]


@pytest.mark.parametrize("failing", [0, 1, 5])
def test_a_part_that_fails_fails_the_call_and_stops_the_others(failing: int) -> None:
    done = []

    def work(part: int) -> None:
        if part == failing:
            raise IndexError(part)
        # Whoever is not stopped has a second to do.
        time.sleep(0.001)
        done.append(part)

    with pytest.raises(IndexError):
        SideBySide().each(work, range(1000))
    assert len(done) < 999
