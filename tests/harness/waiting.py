# SPDX-License-Identifier: Apache-2.0
"""Waits for what a process does by itself.

Nobody waits longer than needed, and a loaded machine is slow: the deadline is there to end a test
that can no longer pass, never to measure anything.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 90.0
_PAUSE_SECONDS = 0.05


def wait_until(holds: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Ask again and again until it holds; fails after PATIENCE_SECONDS and says `what`."""
    awaited(lambda: True if holds() else None, what)


def awaited(ask: Callable[[], T | None], what: str | Callable[[], str]) -> T:
    """The first answer that is not None; fails after PATIENCE_SECONDS and says `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := ask()) is None:
        late = time.monotonic() > deadline
        said = "" if not late else what if isinstance(what, str) else what()
        assert not late, f"{said}: not within {PATIENCE_SECONDS:.0f} s"
        time.sleep(_PAUSE_SECONDS)
    return answer
