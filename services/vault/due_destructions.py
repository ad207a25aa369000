# SPDX-License-Identifier: Apache-2.0
"""Destructions that an outcome makes due: by the end of the next working day (T-6.2.3-e)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.chassis.calendar import WorkingCalendar
from services.chassis.database import Connection
from services.chassis.deadline import plus_working_days
from services.chassis.ids import new_uuid
from services.vault import store_destruction
from services.vault.standing import ClaimsStanding, Outcome
from services.vault.store import Subject
from services.vault.store_destruction import DUE, DestructionRow


class DueDestructions:
    """Notes, with the slice that says so, that a subject has to be destroyed.

    `calendar` is asked for when a term is first reckoned: loading it takes its time.
    """

    def __init__(self, calendar: Callable[[], WorkingCalendar]) -> None:
        self._calendar = calendar

    def note(
        self, connection: Connection, subject: Subject, standing: ClaimsStanding, now: datetime
    ) -> None:
        """Once per subject; what is due, restricted or done already stays as it is."""
        confirmed = [b for b in standing.blocks if b.outcome is Outcome.UNLAWFUL_CONFIRMED]
        if not confirmed or store_destruction.read(connection, subject) is not None:
            return
        first = min(confirmed, key=lambda block: (block.recorded_time, block.claim_id))
        due = plus_working_days(now, 1, self._calendar()).due_time
        row = DestructionRow(
            *subject, new_uuid(), DUE, str(Outcome.UNLAWFUL_CONFIRMED), first.claim_id, due
        )
        store_destruction.write(connection, row)
