# SPDX-License-Identifier: Apache-2.0
"""Runs the checks. A fault counts only where it is found again.

The databases of a running suite are not seen at the same instant: what one of them says already,
another may say a moment later. So what a check finds is looked for again in new snapshots, and only
what is there each time, word for word, is a fault.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from cli.consistency.check import Check
from cli.consistency.fault import Fault
from cli.consistency.matching import OutOfOrder
from cli.consistency.records import Records

MOST_FAULTS = 1000
"""What is kept of one check's findings; whoever has more needs to know no more."""
_CONFIRMATIONS = 2
_PAUSE_SECONDS = 0.7


class Listener(Protocol):
    """Whoever watches."""

    def begun(self, check: Check) -> None:
        """A check begins."""

    def ended(self, outcome: "Outcome") -> None:
        """A check has ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    check: Check
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """All outcomes, of as many checks as were asked."""

    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def first(self) -> tuple[Check, Fault] | None:
        """The first fault and the check that found it; None where there is none."""
        return next(((o.check, o.faults[0]) for o in self.outcomes if o.faults), None)


def inspect(
    records: Records,
    checks: Sequence[Check],
    listener: Listener,
    *,
    only_first: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Inspection:
    """Ask every check, or up to the first that finds a fault. Raises CannotRead, OutOfOrder."""
    outcomes: list[Outcome] = []
    for check in checks:
        listener.begun(check)
        began = time.monotonic()
        found = _confirmed(records, check, pause)
        faults = tuple(fault for fault in found if not fault.warning)
        warnings = tuple(fault for fault in found if fault.warning)
        outcome = Outcome(
            check, faults[:1] if only_first else faults, warnings, time.monotonic() - began
        )
        listener.ended(outcome)
        outcomes.append(outcome)
        if faults and only_first:
            break
    return Inspection(tuple(outcomes))


def _confirmed(records: Records, check: Check, pause: Callable[[float], None]) -> list[Fault]:
    found = _found(records, check)
    for _ in range(_CONFIRMATIONS):
        if not found:
            break
        pause(_PAUSE_SECONDS)
        again = set(_found(records, check))
        found = [fault for fault in found if fault in again]
    return found


def _found(records: Records, check: Check) -> list[Fault]:
    records.renew()
    try:
        return list(islice(check.find(records), MOST_FAULTS))
    except OutOfOrder:
        # An index that has come apart from its table gives rows in no order, or twice.
        raise OutOfOrder(f"rows of the check {check.name} do not come in order") from None
