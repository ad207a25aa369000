# SPDX-License-Identifier: Apache-2.0
"""Statistics of visits from which nobody can be told (clause 3.3.2, Law 17(1)).

A group is told only where it has FEWEST visitors of its day, so that no two ranges of days differ
by a smaller one. What is suppressed is added up as OTHERS; where OTHERS is itself too small, the
smallest group that could be told joins it, since the day's total would tell it otherwise.

Who is depersonalised stays counted, as a number: how many visits, of how many people, a group had.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

FEWEST: Final = 5
OTHERS: Final = "OTHERS"
DAY, BROWSER, NETWORK = "DAY", "BROWSER", "NETWORK"
LONGEST_AGO: Final = timedelta(days=92)
"""How far back days are told."""


class Group(NamedTuple):
    """A group of a day's visits: by BROWSER or NETWORK, or the whole DAY, which has no name."""

    day: str
    kind: str
    name: str


class Count(NamedTuple):
    """So many visits of so many people."""

    visits: int
    visitors: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """The visits of a day, by browser family and by network prefix."""

    date: str
    visits: int
    browsers: Mapping[str, int]
    networks: Mapping[str, int]


def counts_of(people: Iterable[Sequence[tuple[str, str, str]]]) -> dict[Group, Count]:
    """What the (day, browser family, network prefix) of each person's visits come to."""
    counts: dict[Group, Count] = {}
    for visits in people:
        own: Counter[Group] = Counter()
        for day, browser, network in visits:
            own[Group(day, DAY, "")] += 1
            own[Group(day, BROWSER, browser)] += 1
            own[Group(day, NETWORK, network)] += 1
        for group, number in own.items():
            before = counts.get(group, Count(0, 0))
            counts[group] = Count(before.visits + number, before.visitors + 1)
    return counts


class VisitCounts:
    """Counts visits; holds subject ids only until it is asked.

    `kept` is what depersonalised people have left.
    """

    def __init__(self, kept: Mapping[Group, Count] | None = None) -> None:
        self._visits: dict[str, Counter[tuple[str, str, str]]] = defaultdict(Counter)
        self._kept: dict[tuple[str, str], dict[str, Count]] = defaultdict(dict)
        for group, count in (kept or {}).items():
            self._kept[group.day, group.kind][group.name] = count

    def add(self, subject: str, day: str, browser: str, network: str) -> None:
        """One visit."""
        self._visits[day][(subject, browser, network)] += 1

    def days(self) -> list[DayCount]:
        """The days that had enough visitors, in order."""
        found = []
        dates = self._visits.keys() | {day for day, _ in self._kept}
        for date in sorted(dates):
            visits = self._visits[date]
            kept = self._kept[date, DAY].get("", Count(0, 0))
            if len({subject for subject, _, _ in visits}) + kept.visitors < FEWEST:
                continue
            browsers = _groups(visits, 1, self._kept[date, BROWSER])
            networks = _groups(visits, 2, self._kept[date, NETWORK])
            found.append(DayCount(date, visits.total() + kept.visits, browsers, networks))
        return found


def _groups(
    visits: Mapping[tuple[str, str, str], int], kind: int, kept: Mapping[str, Count]
) -> dict[str, int]:
    counts = Counter({name: count.visits for name, count in kept.items()})
    visitors: dict[str, set[str]] = defaultdict(set)
    for group, count in visits.items():
        counts[group[kind]] += count
        visitors[group[kind]].add(group[0])

    def people(names: Sequence[str]) -> int:
        """How many at the least: the depersonalised of two groups may be the same."""
        living: set[str] = set().union(*(visitors[name] for name in names))
        return len(living) + max((kept[n].visitors for n in names if n in kept), default=0)

    order = sorted(counts, key=lambda name: (people([name]), name))
    left = [name for name in order if people([name]) < FEWEST]
    told = [name for name in order if people([name]) >= FEWEST]
    while left and told and people(left) < FEWEST:
        left.append(told.pop(0))
    result = {name: counts[name] for name in sorted(told)}
    if left and people(left) >= FEWEST:
        result[OTHERS] = sum(counts[name] for name in left)
    return result
