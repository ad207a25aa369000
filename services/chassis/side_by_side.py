# SPDX-License-Identifier: Apache-2.0
"""The parts of one call in few threads: while PostgreSQL works on one, the next is made ready."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class SideBySide:
    """Lends `beside` more threads to a call in parts, as long as it has any of its `threads`."""

    def __init__(self, threads: int = 4, beside: int = 1) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")
        self._beside = beside

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

        others = [self._pool.submit(take) for _ in range(min(self._beside, max(0, len(parts) - 1)))]
        try:
            take()
        finally:
            begun = [other for other in others if not other.cancel()]
            wait(begun)
            for other in begun:
                other.result()
        return [made[number] for number in range(len(made))]
