# SPDX-License-Identifier: Apache-2.0
"""What comes in at the same moment is done together, as a group commit does.

Nothing waits for company and there is no thread of its own: whoever comes while fewer than
`leaders` are at work does what waits, for everybody, and whoever comes meanwhile waits to be done
by the next. So one that comes alone is done alone, and a crowd in as few turns as can be.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from services.chassis.refusal import Unavailable

_Item = TypeVar("_Item")
_Outcome = TypeVar("_Outcome")


class _Waiting(Generic[_Item, _Outcome]):
    """An item whose caller waits. A lock serves as a future at a tenth of the cost."""

    __slots__ = ("error", "item", "leads", "outcome", "settled", "woken")

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.outcome: _Outcome | None = None
        self.error: Exception | None = None
        self.leads = False
        self.settled = False
        self.woken = threading.Lock()
        self.woken.acquire()

    def settle(self, outcome: _Outcome | Exception) -> None:
        """Tell the caller; once."""
        if isinstance(outcome, Exception):
            self.error = outcome
        else:
            self.outcome = outcome
        self.settled = True
        if not self.leads:
            self.woken.release()

    def result(self) -> _Outcome:
        """What came of it. Raises what `work` gave or raised."""
        if self.error is not None:
            raise self.error
        return self.outcome  # type: ignore[return-value]


class Together(Generic[_Item, _Outcome]):
    """Gathers items for `work`, at most `most` at a time, by at most `leaders` callers at once.

    `work` returns what came of each item, in order: an outcome, or the exception for its caller.
    Where it raises what `may_be_of_one` says may be one item's fault, each is tried alone, so that
    none is spoilt by another; anything else is raised to all of them.
    """

    def __init__(
        self,
        work: Callable[[Sequence[_Item]], Sequence[_Outcome | Exception]],
        *,
        leaders: int = 2,
        most: int = 64,
        may_be_of_one: Callable[[Exception], bool] = lambda _: True,
    ) -> None:
        self._work = work
        self._may_be_of_one = may_be_of_one
        self._free = leaders
        self._most = most
        self._queue: deque[_Waiting[_Item, _Outcome]] = deque()
        self._lock = threading.Lock()

    def do(self, item: _Item, timeout: float) -> _Outcome:
        """Have an item done in whatever company there is.

        Raises what `work` gave for it; Unavailable after `timeout` seconds of waiting, whatever
        becomes of the item then: it is not begun any more, or just being done.
        """
        own: _Waiting[_Item, _Outcome] = _Waiting(item)
        with self._lock:
            if self._free:
                self._free -= 1
                own.leads = True
            else:
                self._queue.append(own)
        if not own.leads:
            self._await(own, timeout)
        if own.leads:
            self._lead(own)
        return own.result()

    def _await(self, own: _Waiting[_Item, _Outcome], timeout: float) -> None:
        """Wait until it is done, or for the lead. Raises Unavailable."""
        if own.woken.acquire(timeout=max(0.0, timeout)):
            return
        with self._lock:
            if own.leads or own.settled:
                return
            if own in self._queue:
                self._queue.remove(own)
        raise Unavailable(retry_after=1)

    def _lead(self, own: _Waiting[_Item, _Outcome]) -> None:
        """Do the own item with what waits, then hand over to whoever waits longest by then."""
        try:
            with self._lock:
                count = min(len(self._queue), self._most - 1)
                others = [self._queue.popleft() for _ in range(count)]
            self._do([own, *others])
        finally:
            with self._lock:
                if self._queue:
                    following = self._queue.popleft()
                    following.leads = True
                    following.woken.release()
                else:
                    self._free += 1

    def _do(self, batch: Sequence[_Waiting[_Item, _Outcome]]) -> None:
        try:
            outcomes = self._work([each.item for each in batch])
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            alone = len(batch) > 1 and self._may_be_of_one(error)
            for each in batch:
                if alone:
                    self._do([each])
                else:
                    each.settle(error)
            return
        for each, outcome in zip(batch, outcomes, strict=True):
            each.settle(outcome)
