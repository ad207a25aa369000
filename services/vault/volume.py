# SPDX-License-Identifier: Apache-2.0
"""Whether a credential reaches unusually many people today, compared with its own recent days.

Unusual is more than three times the median of its last fourteen days with any traffic, and more
than a hundred. A credential of fewer than three days is not compared. Nobody is stopped by it: a
metric and one entry a day say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

DAYS: Final = 14
LEAST_DAYS: Final = 3
TIMES: Final = 3
LEAST: Final = 100


def usual_most(earlier: Sequence[int]) -> int | None:
    """The most that is usual after those earlier days (newest first); None: too few to tell."""
    days = [subjects for subjects in earlier if subjects > 0][:DAYS]
    if len(days) < LEAST_DAYS:
        return None
    return max(LEAST, int(TIMES * median(days)))


def is_unusual(today: int, earlier: Sequence[int]) -> bool:
    """Whether today's number of people is unusual."""
    most = usual_most(earlier)
    return most is not None and today > most
