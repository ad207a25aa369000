# SPDX-License-Identifier: Apache-2.0
"""A lane: one at a time, and nobody waits for ever."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.chassis.lane import Lane

_AGES = 60.0


def test_one_works_at_a_time() -> None:
    lane, at_work, most = Lane(_AGES), 0, []

    def work(_: int) -> None:
        nonlocal at_work
        for _again in range(5):
            with lane.entered():
                at_work += 1
                time.sleep(0.001)
                most.append(at_work)
                at_work -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert set(most) == {1}


def test_whoever_has_waited_long_enough_goes_on_beside_it_and_frees_no_lane() -> None:
    lane = Lane(0.01)

    def work() -> None:
        with lane.entered():
            pass

    with ThreadPoolExecutor(1) as pool, lane.entered():
        pool.submit(work).result(10)
        assert lane._lock.locked()


def test_the_lane_is_free_again_although_the_work_failed() -> None:
    lane = Lane(_AGES)
    with pytest.raises(RuntimeError), lane.entered():
        raise RuntimeError
    assert not lane._lock.locked()
