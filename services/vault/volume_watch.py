# SPDX-License-Identifier: Apache-2.0
"""Counts from evidence how many people each credential reaches, and says what is unusual.

Nothing is counted when data are read: the entries are there anyway. One look reads the entries of
the day; the pause after it grows with what it took.
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.vault import store_budgets, store_volumes
from services.vault.budget import LOCAL, local_day
from services.vault.store_budgets import Spender
from services.vault.volume import DAYS, is_unusual, usual_most

_SHARE = 50
_KEPT = timedelta(days=6 * DAYS)


class VolumeWatch:
    """Looks when it is called; `pause` is the least number of seconds between two looks."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, pause: float) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._pause = pause

    def look(self) -> float:
        """Count and compare; returns the seconds until the next look.

        Raises Unavailable.
        """
        began = time.monotonic()
        now = self._clock.now()
        day = local_day(now)
        with self._database.transaction() as connection:
            counts = store_volumes.count_since(connection, _start(day))
            store_volumes.write_day(connection, day, counts)
            earlier = store_volumes.earlier_days(connection, day)
            noted = [
                spender
                for spender, subjects in sorted(counts.items())
                if is_unusual(subjects, earlier.get(spender, ()))
                and store_volumes.note(connection, spender, day)
            ]
            for spender in noted:
                entry = _entry(spender, counts[spender], usual_most(earlier[spender]) or 0)
                evidence.append(connection, entry, now)
            _forget(connection, day)
        # After the commit: what was not written down was not said either.
        if noted:
            self._metrics.alarms.labels("unusual_volume").inc(len(noted))
        return max(self._pause, _SHARE * (time.monotonic() - began))


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LOCAL)


def _forget(connection: Connection, day: date) -> None:
    store_budgets.forget_budgets(connection, day - timedelta(days=1))
    store_volumes.forget_volumes(connection, day - _KEPT)


def _entry(spender: Spender, subjects: int, usual: int) -> Entry:
    site, principal = spender
    return Entry(
        event="volume.noted",
        verb="RETRIEVE",
        outcome=evidence.DONE,
        site_id=site,
        principal="process/vault",
        clause="6.2.1",
        refs={"credential": principal},
        decided_on={"subjects": subjects, "usualMost": usual},
    )
