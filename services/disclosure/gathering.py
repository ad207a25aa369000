# SPDX-License-Identifier: Apache-2.0
"""Group commit: what waits at the same moment is worked on together.

Two threads take what waits: while the vault or the disk is waited for in one
batch, the next is worked on. Nothing waits for company: what comes alone is
worked on alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from services.chassis.refusal import Unavailable

T = TypeVar("T")
R = TypeVar("R")
_MOST = 64
_THREADS = 2
_STOP_SECONDS = 5.0


class _Waiting(Generic[T, R]):
    """An item whose caller waits. Locks serve as a future at a tenth of the cost."""

    __slots__ = ("_begun", "_settled", "item", "outcome")

    def __init__(self, item: T) -> None:
        self.item = item
        self.outcome: R | BaseException | None = None
        self._begun = threading.Lock()
        self._settled = threading.Lock()
        self._settled.acquire()

    def begin(self) -> bool:
        """Whether it is still to be worked on; once."""
        return self._begun.acquire(blocking=False)

    def settle(self, outcome: R | BaseException) -> None:
        """Tell the caller; once."""
        self.outcome = outcome
        self._settled.release()

    def result(self, timeout: float) -> R:
        """What came of it. Raises what the work answered, Unavailable after `timeout` seconds."""
        if not self._settled.acquire(timeout=max(0.0, timeout)):
            # Nobody waits for it any more: what has not begun is not done.
            self.begin()
            raise Unavailable(retry_after=1)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome


class Gathering(Generic[T, R]):
    """Gives items to `work` in batches; `work` answers each with a result or an exception."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R | Exception]]) -> None:
        self._work = work
        self._waiting: SimpleQueue[_Waiting[T, R] | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._starting:
            if self._threads:
                return
            self._threads = [
                threading.Thread(target=self._run, name=f"gathering-{n}", daemon=True)
                for n in range(_THREADS)
            ]
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """End after what is waiting."""
        with self._starting:
            threads, self._threads = self._threads, []
        for _ in threads:
            self._waiting.put(None)
        for thread in threads:
            thread.join(timeout=_STOP_SECONDS)

    def do(self, item: T, timeout: float) -> R:
        """Work on one item in whatever company there is; waits `timeout` seconds at most.

        Raises what the work answered for it, Unavailable where it was not done
        in time.
        """
        self.start()
        waiting: _Waiting[T, R] = _Waiting(item)
        self._waiting.put(waiting)
        return waiting.result(timeout)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            self._answer([first, *self._company()])

    def _company(self) -> Iterator[_Waiting[T, R]]:
        """What is waiting besides."""
        for _ in range(_MOST - 1):
            try:
                following = self._waiting.get_nowait()
            except Empty:
                return
            if following is None:
                self._waiting.put(None)
                return
            yield following

    def _answer(self, batch: Sequence[_Waiting[T, R]]) -> None:
        batch = [each for each in batch if each.begin()]
        if not batch:
            return
        try:
            results: Sequence[R | Exception] = self._work([each.item for each in batch])
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            for each in batch:
                each.settle(error)
            return
        for each, result in zip(batch, results, strict=True):
            each.settle(result)
