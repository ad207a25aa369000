# SPDX-License-Identifier: Apache-2.0
"""Counts what is overdue: claims that nobody has answered, tasks that nobody has done (8.2)."""

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.claims import store_clock, store_tasks

_PAUSE_SECONDS = 5.0


class Overdue:
    """`round` is what runs beside the server."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics

    def round(self) -> float:
        """Count; returns the seconds until the next round."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            claims = store_clock.count_lapsed(connection)
            tasks = store_tasks.count_overdue(connection, now)
        self._metrics.overdue.labels("claims").set(claims)
        self._metrics.overdue.labels("tasks").set(tasks)
        return _PAUSE_SECONDS
