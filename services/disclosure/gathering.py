# SPDX-License-Identifier: Apache-2.0
"""Group commit: what waits at the same moment is worked on together.

Two threads take what is waiting, so that one batch asks the vault while the
other writes. Nothing waits for company: what comes alone is worked on alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from services.chassis.refusal import Unavailable

T = TypeVar("T")
R = TypeVar("R")
_MOST = 64
_THREADS = 2
_STOP_SECONDS = 5.0


class Gathering(Generic[T, R]):
    """Gives items to `work` in batches; `work` answers each with a result or an exception."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R | Exception]]) -> None:
        self._work = work
        self._waiting: SimpleQueue[tuple[T, Future[R]] | None] = SimpleQueue()
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
            batch = [first]
            while len(batch) < _MOST:
                try:
                    following = self._waiting.get_nowait()
                except Empty:
                    break
                if following is None:
                    self._waiting.put(None)
                    break
                batch.append(following)
            self._answer(batch)

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
