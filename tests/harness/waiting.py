# SPDX-License-Identifier: Apache-2.0
"""Waits for what a process does by itself.

Nobody waits longer than needed, and a loaded machine is slow: the deadline is there to end a test
that can no longer pass, never to measure anything.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 90.0
PATIENT = {
    "QUPIA_GATEWAY_DEADLINE_SECONDS": "12",
    **{f"QUPIA_{each}_PUSH_SECONDS": "10" for each in ("CONSENT", "CLAIMS", "DISCLOSURE")},
}
"""Settings of suites whose answers are looked at and not how soon they come: four times as long as
a call may take otherwise, and less than `cli.conversation` waits; an act waits as long for the
vault before it is PENDING. Suites that lose a process keep theirs."""
LEADS = (timedelta(seconds=1), timedelta(seconds=6), timedelta(seconds=30))
"""How far ahead to set a time that a test has to come before: close, and farther off each time that
the machine was too slow to come before it."""
_PAUSE_SECONDS = 0.05


def wait_until(holds: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Ask again and again until it holds; fails after PATIENCE_SECONDS and says `what`."""
    awaited(lambda: True if holds() else None, what)


def sleep_past(moment: datetime) -> None:
    """Sleeps until an aware time has passed by the clock that the processes have too."""
    while (left := (moment - datetime.now(UTC)).total_seconds()) >= 0:
        time.sleep(left + 0.001)


def awaited(ask: Callable[[], T | None], what: str | Callable[[], str]) -> T:
    """The first answer that is not None; fails after PATIENCE_SECONDS and says `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := ask()) is None:
        late = time.monotonic() > deadline
        said = "" if not late else what if isinstance(what, str) else what()
        assert not late, f"{said}: not within {PATIENCE_SECONDS:.0f} s"
        time.sleep(_PAUSE_SECONDS)
    return answer
