# SPDX-License-Identifier: Apache-2.0
"""Group commit: what waits at the same moment is worked on together.

A batch costs much more than a member of it, so that two at once, which share
what there is, do less than one after the other. Two threads take turns; only
where a batch takes long, because somebody holds what it needs, the next one
goes ahead. Nothing waits for company: what comes alone is worked on alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from services.chassis.refusal import Unavailable

T = TypeVar("T")
R = TypeVar("R")
_MOST = 64
_THREADS = 2
_TURN_SECONDS = 0.25
_STOP_SECONDS = 5.0


class Gathering(Generic[T, R]):
    """Gives items to `work` in batches; `work` answers each with a result or an exception."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R | Exception]]) -> None:
        self._work = work
        self._waiting: SimpleQueue[tuple[T, Future[R]] | None] = SimpleQueue()
        self._turn = threading.Lock()
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
        future: Future[R] = Future()
        self._waiting.put((item, future))
        try:
            return future.result(timeout)
        except TimeoutError:
            # Nobody waits for it any more: what has not begun is not done.
            future.cancel()
            raise Unavailable(retry_after=1) from None

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            in_turn = self._turn.acquire(timeout=_TURN_SECONDS)
            try:
                self._answer([first, *self._company()])
            finally:
                if in_turn:
                    self._turn.release()

    def _company(self) -> Iterator[tuple[T, Future[R]]]:
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

    def _answer(self, batch: Sequence[tuple[T, Future[R]]]) -> None:
        batch = [each for each in batch if each[1].set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            results = self._work([item for item, _ in batch])
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
