# SPDX-License-Identifier: Apache-2.0
"""Statistics of visits from which nobody can be told (clause 3.3.2, Law 17(1)).

A group is told only where it has FEWEST visitors of its day, so that no two ranges of days differ
by a smaller one. What is suppressed is added up as OTHERS; where OTHERS is itself too small, the
smallest group that could be told joins it, since the day's total would tell it otherwise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FEWEST: Final = 5
OTHERS: Final = "OTHERS"


@dataclass(frozen=True, slots=True)
class DayCount:
    """The visits of a day, by browser family and by network prefix."""

    date: str
    visits: int
    browsers: Mapping[str, int]
    networks: Mapping[str, int]


class VisitCounts:
    """Counts visits; holds subject ids only until it is asked."""

    def __init__(self) -> None:
        self._visits: dict[str, Counter[tuple[str, str, str]]] = defaultdict(Counter)

    def add(self, subject: str, day: str, browser: str, network: str) -> None:
        """One visit."""
        self._visits[day][(subject, browser, network)] += 1

    def days(self) -> list[DayCount]:
        """The days that had enough visitors, in order."""
        found = []
        for date, visits in sorted(self._visits.items()):
            if len({subject for subject, _, _ in visits}) < FEWEST:
                continue
            found.append(DayCount(date, visits.total(), _groups(visits, 1), _groups(visits, 2)))
        return found


def _groups(visits: Mapping[tuple[str, str, str], int], kind: int) -> dict[str, int]:
    counts: Counter[str] = Counter()
    visitors: dict[str, set[str]] = defaultdict(set)
    for group, count in visits.items():
        counts[group[kind]] += count
        visitors[group[kind]].add(group[0])
    order = sorted(counts, key=lambda name: (len(visitors[name]), name))
    left = [name for name in order if len(visitors[name]) < FEWEST]
    told = [name for name in order if len(visitors[name]) >= FEWEST]
    others: set[str] = set().union(*(visitors[name] for name in left))
    while left and told and len(others) < FEWEST:
        joining = told.pop(0)
        left.append(joining)
        others |= visitors[joining]
    result = {name: counts[name] for name in sorted(told)}
    if left and len(others) >= FEWEST:
        result[OTHERS] = sum(counts[name] for name in left)
    return result
