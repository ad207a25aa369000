# SPDX-License-Identifier: Apache-2.0
"""Group commit on the gate: reads that wait at the same moment share one transaction.

One thread takes what is waiting, up to 64 reads, and gives each its own
outcome. Nothing waits for company: a read that comes alone is read alone.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

from services.chassis.refusal import Refusal, Unavailable
from services.vault.gate import Contended, Gate, Given, Outcome, Read, Refused

_MOST = 64


class _Waiting:
    """A read whose caller waits. A lock serves as a future at a tenth of the cost."""

    __slots__ = ("_settled", "error", "outcome", "read")

    def __init__(self, read: Read) -> None:
        self.read = read
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self._settled = threading.Lock()
        self._settled.acquire()

    def settle(self, outcome: Outcome | None, error: Exception | None = None) -> None:
        """Tell the caller; once."""
        self.outcome, self.error = outcome, error
        self._settled.release()

    def result(self, timeout: float) -> Outcome:
        """What came of it. Raises what the gate raised, Unavailable after `timeout` seconds."""
        if not self._settled.acquire(timeout=timeout):
            raise Unavailable(retry_after=1)
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        return self.outcome


class Combiner:
    """Gathers single reads into batches."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="combiner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the reads that are waiting."""
        self._queue.put(None)
        self._thread.join(timeout=5)

    def read(self, read: Read, timeout: float) -> Given | Refused:
        """One read in whatever company there is; waits `timeout` seconds at most.

        Raises Unavailable where it could not be recorded, or not in time.
        """
        waiting = _Waiting(read)
        self._queue.put(waiting)
        outcome = waiting.result(timeout)
        if isinstance(outcome, Contended):
            return self._gate.read_alone(read)
        return outcome

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            self._answer(self._gather(first))

    def _gather(self, first: _Waiting) -> list[_Waiting]:
        batch = [first]
        while len(batch) < _MOST:
            try:
                following = self._queue.get_nowait()
            except Empty:
                # Callers that are about to ask need the interpreter to do so: it is lent to
                # them once more for as long as it brings company.
                time.sleep(0)
                if self._queue.empty():
                    break
                continue
            if following is None:
                self._queue.put(None)
                break
            batch.append(following)
        return batch

    def _answer(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = self._gate.read([each.read for each in batch])
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if len(batch) > 1 and not isinstance(error, Refusal):
                # One member may have spoilt it for all: each is tried alone.
                for member in batch:
                    self._answer([member])
                return
            for each in batch:
                each.settle(None, error)
            return
        for each, outcome in zip(batch, outcomes, strict=True):
            each.settle(outcome)
