# SPDX-License-Identifier: Apache-2.0
"""Rotating keys: what there is to say about a rotation, and the walk that all of them share.

A rotation replaces what wraps keys (a KEK, an epoch) or what makes digests (an index key) while
reads and writes go on. It goes in batches, each a transaction that leaves everything readable, so
it may be stopped or killed between any two and is resumed where it was. Nothing is read in the
clear outside memory, nothing is given out.

Afterwards the old key wraps nothing; only then may it be retired (`retirement.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

C = TypeVar("C")

_ROUNDS: Final = 50
_ROUND_SECONDS: Final = 0.1


ALL: Final = "ALL"
"""The target of a rotation of all index keys: the newest version of each."""


class RotationKind(StrEnum):
    """What a rotation replaces."""

    KEK = "KEK"
    EPOCH = "EPOCH"
    INDEX = "INDEX"


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation; `site` and `field` name an index key, and are empty for all and for other kinds.

    `target` is the new KEK's id, the new epoch or the new key version (`ALL` for those of all
    index keys); empty until it is made.
    `rewrapped` counts rows since `begin_time`; `end_time` is None while it is under way.
    """

    rotation_id: str
    kind: RotationKind
    site: str
    field: str
    target: str
    rewrapped: int
    begin_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows moved in this run, rows still under an old key when it began, rows that cannot move."""

    rewrapped: int
    total: int
    failed: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation that has ended; `failed` rows do not open and stay under the old key."""

    rotation: Rotation
    failed: int


class RotationUnderWay(Exception):
    """Another rotation is running, or was stopped and has to be resumed first."""


class RotationIncomplete(Exception):
    """Rows stay locked by others; resume later. The text names their number."""


class KeyStillUsed(Exception):
    """A key that may not be retired yet: `count` rows are under it."""

    def __init__(self, what: str, count: int) -> None:
        self.count = count
        super().__init__(f"{what} is still in use: {count} rows are under it; rotate first")


class KeyUnknown(Exception):
    """There is no such epoch, KEK or index-key version to retire."""


class Pace:
    """Holds a rotation to so many rows a second; without limit where None.

    Time not used is not saved up: after a pause the rotation does not hurry.
    """

    def __init__(
        self,
        rows_per_second: float | None = None,
        *,
        pause: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if rows_per_second is not None and rows_per_second <= 0:
            raise ValueError("a rotation moves more than 0 rows a second")
        self._rate = rows_per_second
        self.pause = pause
        self._monotonic = monotonic
        self._due = 0.0

    def at_most(self, rows: int) -> int:
        """The rows of one batch: fewer than `rows` where those would take over half a second."""
        return rows if self._rate is None else max(1, min(rows, int(self._rate / 2)))

    def after(self, rows: int) -> None:
        """Wait as long as so many rows are to take since the last wait ended."""
        if self._rate is None:
            return
        now = self._monotonic()
        self._due = max(self._due, now - rows / self._rate) + rows / self._rate
        if self._due > now:
            self.pause(self._due - now)


@dataclass(frozen=True, slots=True)
class Batch(Generic[C]):
    """What one transaction did: where it ended (None: nothing was left), and how many rows."""

    last: C | None
    rewrapped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Walk(Generic[C]):
    """Moves every row under one old key.

    `step` does the next batch after a place (None: from the start), `left` counts the rows that
    are still under the old key.
    """

    step: Callable[[C | None], Batch[C]]
    left: Callable[[], int]

    def run(self, pace: Pace, moved: Callable[[int, int], None]) -> int:
        """Go round until no row is left but those that fail; returns their number.

        `moved` hears of every batch: rows rewrapped, rows failed so far; what it raises stops the
        walk between two batches. Raises RotationIncomplete where rows stay locked.
        """
        left = 0
        for _ in range(_ROUNDS):
            rewrapped, failed = self._round(pace, moved)
            left = self.left()
            if left <= failed:
                return left
            if not rewrapped:
                pace.pause(_ROUND_SECONDS)
        raise RotationIncomplete(f"{left} rows are held by others: resume the rotation later")

    def _round(self, pace: Pace, moved: Callable[[int, int], None]) -> tuple[int, int]:
        rewrapped = failed = 0
        batch = self.step(None)
        while batch.last is not None:
            rewrapped += batch.rewrapped
            failed += batch.failed
            moved(batch.rewrapped, failed)
            pace.after(batch.rewrapped)
            batch = self.step(batch.last)
        return rewrapped, failed
