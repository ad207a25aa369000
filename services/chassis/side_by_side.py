# SPDX-License-Identifier: Apache-2.0
"""The parts of one call in two threads: while PostgreSQL works on one, the next is made ready."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class SideBySide:
    """Lends a second thread to calls in parts, to as many calls at once as it has threads."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")

    def each(
        self,
        work: Callable[[_Part], _Result],
        parts: Sequence[_Part],
        go_on: Callable[[], bool] = lambda: True,
    ) -> list[_Result]:
        """What `work` makes of every part, in their order; without a free thread one by one.

        No part but the first is begun once `go_on` says no: the results are then fewer than the
        parts, those of the first of them. Raises what `work` raises, once no part is being worked
        on; later parts are left out then.
        """
        left = deque(enumerate(parts))
        made: dict[int, _Result] = {}
        taking = threading.Lock()

        def take() -> None:
            while True:
                with taking:
                    if not left or (left[0][0] and not go_on()):
                        left.clear()
                        return
                    number, part = left.popleft()
                try:
                    made[number] = work(part)
                except BaseException:
                    left.clear()
                    raise

        other = self._pool.submit(take) if len(parts) > 1 else None
        try:
            take()
        finally:
            if other is not None and not other.cancel():
                other.result()
        return [made[number] for number in range(len(made))]
