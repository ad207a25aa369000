# SPDX-License-Identifier: Apache-2.0
"""Group commit on the gate: reads that wait at the same moment share one transaction."""

from __future__ import annotations

from services.chassis.refusal import Refusal
from services.chassis.together import Together
from services.vault.gate import Contended, Gate, Given, Outcome, Read, Refused


class Combiner:
    """Gathers single reads into batches."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._together: Together[Read, Outcome] = Together(
            gate.read, leaders=1, may_be_of_one=lambda error: not isinstance(error, Refusal)
        )

    def read(self, read: Read, timeout: float) -> Given | Refused:
        """One read in whatever company there is; waits `timeout` seconds at most.

        Raises Unavailable where it could not be recorded, or not in time.
        """
        outcome = self._together.do(read, timeout)
        if isinstance(outcome, Contended):
            return self._gate.read_alone(read)
        return outcome
