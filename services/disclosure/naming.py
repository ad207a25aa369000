# SPDX-License-Identifier: Apache-2.0
"""Tells the vault who the recipients are, so that a person reads names and not ids (6.1.3).

All is told at the start, whenever something has changed, and again every ten minutes: a vault that
was restored has it by then, and nothing has to be kept of what was told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.refusal import AWAY
from services.disclosure import store_names
from services.disclosure.recipient import Named

_VAULT_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_AGAIN = timedelta(minutes=10)
_BATCH = 500
Tell = Callable[[Sequence[Named], float], None]
"""Tells the vault, within seconds. Raises Refusal."""


class Naming:
    """`round` is what runs beside the server."""

    def __init__(self, database: Database, tell: Tell, clock: Clock) -> None:
        self._database = database
        self._tell = tell
        self._clock = clock
        self._told: Sequence[Named] = ()
        self._told_time: datetime | None = None

    def round(self) -> float:
        """Tell what is to be told; returns the seconds until the next round."""
        now = self._clock.now()
        with self._database.look() as connection:
            names = store_names.every(connection)
        recent = self._told_time is not None and now - self._told_time < _AGAIN
        if recent and names == self._told:
            return _PAUSE_SECONDS
        try:
            for start in range(0, len(names), _BATCH):
                self._tell(names[start : start + _BATCH], _VAULT_SECONDS)
        except AWAY:
            return _PAUSE_SECONDS
        self._told, self._told_time = names, now
        return _PAUSE_SECONDS
