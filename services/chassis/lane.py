# SPDX-License-Identifier: Apache-2.0
"""A lane for work that keeps the interpreter busy.

Threads that share the interpreter all end late: a pipeline has nothing to hand on until then. One
after the other the first ends early, and none ends later than it would have.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Lane:
    """One thread at a time; but whoever has waited for `seconds` goes on beside it.

    So nothing may rest on being alone in it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Wait until it is free, and leave it free at the end."""
        alone = self._lock.acquire(timeout=self._seconds)
        try:
            yield
        finally:
            if alone:
                self._lock.release()
