# SPDX-License-Identifier: Apache-2.0
"""Group commit on the gate: reads that wait at the same moment share one transaction.

One thread takes what is waiting, up to 64 reads, and gives each its own
outcome. Nothing waits for company: a read that comes alone is read alone.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from services.chassis.refusal import Refusal, Unavailable
from services.vault.gate import Contended, Gate, Given, Outcome, Read, Refused

_MOST = 64


class Combiner:
    """Gathers single reads into batches."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._waiting: SimpleQueue[tuple[Read, Future[Outcome]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="combiner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the reads that are waiting."""
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def read(self, read: Read, timeout: float) -> Given | Refused:
        """One read in whatever company there is; waits `timeout` seconds at most.

        Raises Unavailable where it could not be recorded, or not in time.
        """
        future: Future[Outcome] = Future()
        self._waiting.put((read, future))
        try:
            outcome = future.result(timeout)
        except TimeoutError:
            raise Unavailable(retry_after=1) from None
        if isinstance(outcome, Contended):
            return self._gate.read_alone(read)
        return outcome

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

    def _answer(self, batch: list[tuple[Read, Future[Outcome]]]) -> None:
        try:
            outcomes = self._gate.read([read for read, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if len(batch) > 1 and not isinstance(error, Refusal):
                # One member may have spoilt it for all: each is tried alone.
                for member in batch:
                    self._answer([member])
                return
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            future.set_result(outcome)
