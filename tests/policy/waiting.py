# SPDX-License-Identifier: Apache-2.0
"""Waits for what a process does by itself."""

import time
from collections.abc import Callable

_SECONDS = 60.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again until it holds; fails after a minute."""
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {_SECONDS:.0f} s"
        time.sleep(0.1)
