# SPDX-License-Identifier: Apache-2.0
"""Goes on with rotations and keeps the schedule of epochs, beside the server.

Every vault process has one; a lock in the key store lets one at a time act. What stops a rotation
(the KEK is away, rows are held) is an alarm, and is tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from services.chassis.clock import Clock
from services.chassis.database import DatabaseDefect
from services.chassis.ids import new_uuid
from services.chassis.metrics import Metrics
from services.chassis.refusal import Unavailable
from services.vault import store_rotation
from services.vault.epoch_schedule import Epoch, EpochSchedule
from services.vault.key_record import KeyRecord
from services.vault.provider import KeyProviderError
from services.vault.retirement import Retirement
from services.vault.rotation import Rotations
from services.vault.rotation_walk import (
    KeyStillUsed,
    KeyUnknown,
    Progress,
    RotationIncomplete,
    RotationKind,
    RotationUnderWay,
)
from services.vault.store_keys import KeyStore
from services.vault.store_rotation_orders import SCHEDULE

_SECONDS = 5.0
_NOT_NOW = (
    KeyProviderError,
    KeyStillUsed,
    KeyUnknown,
    RotationIncomplete,
    Unavailable,
    DatabaseDefect,
)


class _Stopped(Exception):
    """The process ends: the rotation is gone on with by the next one."""


class Custody:
    """A thread that looks every few seconds for what there is to do, or at once when woken.

    `stopping` is set by `stop`; a pace that pauses on it ends at once.
    """

    def __init__(
        self,
        keys: KeyStore,
        rotations: Rotations,
        retirement: Retirement,
        schedule: EpochSchedule,
        record: KeyRecord,
        clock: Clock,
        metrics: Metrics,
        log: Any,
        stopping: threading.Event,
    ) -> None:
        self._keys = keys
        self._rotations = rotations
        self._retirement = retirement
        self._schedule = schedule
        self._record = record
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._stopping = stopping
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="custody", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join(timeout=5)

    def wake(self) -> None:
        """There is something to do."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.clear()
            # One that fails (a row under an old epoch does not open) holds up none of the others.
            for step in (self._go_on, self._retire, self._finish, self._order):
                self._try(step)
            self._wanted.wait(_SECONDS)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (RotationUnderWay, _Stopped):
            # Another process is at it, or the next one will be.
            return
        except _NOT_NOW as reason:
            self._alarm(type(reason).__name__)
        except Exception as defect:  # noqa: BLE001 - a thread that ends would rotate nothing any more
            self._alarm(type(defect).__name__)

    def _alarm(self, kind: str) -> None:
        self._metrics.alarms.labels("rotation_stopped").inc()
        self._log.error("rotation stopped", kind=kind)

    def _go_on(self) -> None:
        if self._rotations.under_way() is not None:
            self._rotations.resume(self._moved)

    def _moved(self, _progress: Progress) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _retire(self) -> None:
        """Retire the epochs whose time has come."""
        for epoch in self._schedule.to_retire(self._epochs(), self._clock.now()):
            self._retire_epoch(epoch)

    def _retire_epoch(self, epoch: str) -> None:
        def record(_going: Sequence[str]) -> None:
            self._record.retired_by_schedule("EPOCH", epoch)

        self._retirement.retire_epoch(epoch, record)

    def _finish(self) -> None:
        """Destroy the KEKs that a retirement cut short has left."""
        if self._retirement.is_unfinished():
            for kek_id in self._retirement.finish():
                self._record.destroyed(kek_id)

    def _order(self) -> None:
        """Order a new epoch where it is time."""
        if not self._schedule.is_due(self._epochs(), self._clock.now()):
            return
        with store_rotation.only_runner(self._keys.database):
            # Another process may have been first.
            if not self._schedule.is_due(self._epochs(), self._clock.now()):
                return
            self._rotations.check_order(RotationKind.EPOCH)
            rotation_id = new_uuid()
            self._record.ordered_by_schedule(rotation_id, str(RotationKind.EPOCH))
            self._rotations.order(rotation_id, RotationKind.EPOCH, SCHEDULE)
        self.wake()

    def _epochs(self) -> list[Epoch]:
        with self._keys.database.transaction() as connection:
            rows = store_rotation.read_epochs(connection)
        return [Epoch(row.epoch, row.current, row.create_time) for row in rows]
