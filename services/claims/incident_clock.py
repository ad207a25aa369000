# SPDX-License-Identifier: Apache-2.0
"""Finds incidents of which the authorised body was not given notice in time (Law 25(2)(8)).

Nothing but a notice with proof stops it. Several processes may run the rounds.
"""

from typing import Any, Final

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.claims import store_incidents
from services.claims.claim import Attribution

OVERDUE: Final = "incident_notice.overdue"
_BATCH: Final = 50
_PAUSE_SECONDS: Final = 5.0


class IncidentClock:
    """`round` is what runs beside the server."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics, log: Any) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def round(self) -> float:
        """Say of every overdue notice that it is; returns the seconds until the next round."""
        now = self._clock.now()
        by = Attribution("process/claims", "", OVERDUE, "RECORD", "7.1")
        with self._database.transaction() as connection:
            places = connection.execute(store_incidents.overdue(now, _BATCH)).all()
            for site_id, incident_id in places:
                incident = store_incidents.read_incident(connection, str(site_id), str(incident_id))
                if incident is None:
                    continue
                store_incidents.mark_overdue(connection, incident, now)
                decided_on = {"dueDate": incident.deadline.due_date.isoformat()}
                store_incidents.append_evidence(connection, incident, by, decided_on, {}, now)
        for _ in places:
            self._metrics.alarms.labels("incident_notice_overdue").inc()
            self._log.error("notice of an incident is overdue", topic="incidents")
        return _PAUSE_SECONDS
