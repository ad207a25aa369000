# SPDX-License-Identifier: Apache-2.0
"""Counts what is overdue: notices that nobody has fetched, requests that nobody has answered."""

from __future__ import annotations

from services.chassis.calendar import WorkingCalendar
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.deadline import overdue_before
from services.chassis.metrics import Metrics
from services.disclosure import store_authority_requests, store_notices
from services.disclosure.notice import FETCH_WORKING_DAYS

_PAUSE_SECONDS = 5.0


class Overdue:
    """`round` is what runs beside the server."""

    def __init__(
        self,
        database: Database,
        calendar: WorkingCalendar,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._calendar = calendar
        self._clock = clock
        self._metrics = metrics

    def round(self) -> float:
        """Count; returns the seconds until the next round."""
        now = self._clock.now()
        made_before = overdue_before(now, FETCH_WORKING_DAYS, self._calendar)
        with self._database.transaction() as connection:
            unfetched = store_notices.count_unfetched(connection, made_before)
            unanswered = store_authority_requests.count_overdue(connection, now)
        self._metrics.overdue.labels("notices").set(unfetched)
        self._metrics.overdue.labels("authority_requests").set(unanswered)
        return _PAUSE_SECONDS
