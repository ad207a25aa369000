# SPDX-License-Identifier: Apache-2.0
"""When epochs are rotated and retired by themselves, and so when a backup opens nobody any more.

Whoever is destroyed is gone from every backup once each epoch of that moment is retired (guarantee
I9). A retired epoch takes the backups of the key store that were made under it along, those of the
living too: it is kept for some days after its successor began, so that newer backups exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch by its id."""

    epoch: str
    current: bool
    create_time: datetime


@dataclass(frozen=True, slots=True)
class EpochSchedule:
    """A new epoch after `days`; an old one is retired `keep_days` after its successor began.

    `by_hand` nothing happens by itself: the custodian keeps the days.
    """

    days: int
    keep_days: int
    by_hand: bool = False

    def is_due(self, epochs: Sequence[Epoch], now: datetime) -> bool:
        """Whether it is time for a new epoch."""
        current = next((each for each in epochs if each.current), None)
        return bool(not self.by_hand and current and now >= current.create_time + self._lasts)

    def to_retire(self, epochs: Sequence[Epoch], now: datetime) -> list[str]:
        """The old epochs whose time has come, oldest first."""
        ends = ((each, self.end_time(epochs, each)) for each in _in_order(epochs))
        return [each.epoch for each, end in ends if not each.current and end and end <= now]

    def end_time(self, epochs: Sequence[Epoch], epoch: Epoch) -> datetime | None:
        """When an epoch is retired at the earliest; None without a schedule."""
        if self.by_hand:
            return None
        later = [each.create_time for each in epochs if each.create_time > epoch.create_time]
        successor = epoch.create_time + self._lasts if epoch.current else min(later, default=None)
        return successor + timedelta(days=self.keep_days) if successor else None

    def all_end_time(self, epochs: Sequence[Epoch]) -> datetime | None:
        """When the last of the present epochs is retired; None without a schedule.

        From then on no backup opens who is destroyed now.
        """
        ends = [self.end_time(epochs, each) for each in epochs]
        return max((end for end in ends if end), default=None)

    @property
    def _lasts(self) -> timedelta:
        return timedelta(days=self.days)


def _in_order(epochs: Sequence[Epoch]) -> list[Epoch]:
    return sorted(epochs, key=lambda each: each.create_time)
