# SPDX-License-Identifier: Apache-2.0
"""Taking turns at work that keeps the interpreter busy.

Threads that share the interpreter all end late: a pipeline has nothing to hand on until then. One
after the other the first ends early, and none ends later than it would have.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """One thread at a time, but whoever has waited for `seconds` goes on beside the others.

    So nothing may rest on being alone.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and pass it on at the end."""
        taken = self._lock.acquire(timeout=self._seconds)
        try:
            yield
        finally:
            if taken:
                self._lock.release()
