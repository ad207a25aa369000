# SPDX-License-Identifier: Apache-2.0
"""What waits at the same moment is worked on together; what nobody waits for is not done."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from services.chassis.refusal import Unavailable
from services.disclosure.gathering import Gathering

_SECONDS = 10.0


class _Work:
    """Doubles numbers, once it is let go on; fails for 0."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.begun.release()
        assert self.go_on.wait(_SECONDS)
        if 13 in items:
            raise LookupError
        return [2 * item if item else ZeroDivisionError() for item in items]


@pytest.fixture
def work() -> _Work:
    return _Work()


@pytest.fixture
def gathering(work: _Work) -> Iterator[Gathering[int, int]]:
    gathering: Gathering[int, int] = Gathering(work)
    yield gathering
    work.go_on.set()
    gathering.stop()


def _ask(gathering: Gathering[int, int], item: int, answers: dict[int, object]) -> threading.Thread:
    def ask() -> None:
        try:
            answers[item] = gathering.do(item, _SECONDS)
        except Exception as error:  # noqa: BLE001 - it is the answer
            answers[item] = type(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def _busy(
    gathering: Gathering[int, int], work: _Work, answers: dict[int, object]
) -> list[threading.Thread]:
    """Both threads have a batch of one."""
    threads = []
    for item in (1, 2):
        threads.append(_ask(gathering, item, answers))
        assert work.begun.acquire(timeout=_SECONDS)
    return threads


def test_two_batches_are_under_way_and_what_waits_meanwhile_goes_together(
    gathering: Gathering[int, int], work: _Work
) -> None:
    answers: dict[int, object] = {}
    threads = _busy(gathering, work, answers)
    assert work.batches == [[1], [2]]
    for count, item in enumerate((3, 0, 4), 1):
        threads.append(_ask(gathering, item, answers))
        while gathering._waiting.qsize() < count:
            pass
    work.go_on.set()
    for thread in threads:
        thread.join()
    assert work.batches[2:] == [[3, 0, 4]]
    assert answers == {1: 2, 2: 4, 3: 6, 0: ZeroDivisionError, 4: 8}


def test_what_nobody_waits_for_any_more_is_not_done(
    gathering: Gathering[int, int], work: _Work
) -> None:
    answers: dict[int, object] = {}
    threads = _busy(gathering, work, answers)
    with pytest.raises(Unavailable):
        gathering.do(5, 0.001)
    work.go_on.set()
    for thread in threads:
        thread.join()
    assert gathering.do(6, _SECONDS) == 12
    assert work.batches == [[1], [2], [6]]


def test_a_batch_that_fails_as_a_whole_fails_for_all_and_the_next_goes_on(
    gathering: Gathering[int, int], work: _Work
) -> None:
    work.go_on.set()
    with pytest.raises(LookupError):
        gathering.do(13, _SECONDS)
    assert gathering.do(7, _SECONDS) == 14
