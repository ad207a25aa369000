# SPDX-License-Identifier: Apache-2.0
"""Pushes what was not confirmed, for ever, and keeps the decider known to the vault."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from qupia.vault.v1 import vault_pb2
from services.chassis import idempotency
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.decider import store_life, store_outbox
from services.chassis.decider.pusher import MOST_TOGETHER, Pusher
from services.chassis.decider.store import Key
from services.chassis.decider.store_life import Life
from services.chassis.metrics import Metrics
from services.chassis.refusal import Refusal

# While something waits to be pushed, and while nothing does. Whoever records pushes first, and has
# a second for it: the longer pause makes nothing late but what a handler could not push.
_PAUSE_SECONDS, _IDLE_SECONDS = 0.1, 0.5
_PUSH_SECONDS = 2.0
_BATCH = 200
_TELLING_SECONDS, _HOUSEKEEPING_SECONDS = 1.0, 3600.0
_CompleteResync = Callable[
    [vault_pb2.CompleteResyncRequest, float], vault_pb2.CompleteResyncResponse
]


class Dispatcher:
    """A thread that never gives up: outbox, incarnation, resync, and a word to the vault."""

    def __init__(
        self,
        database: Database,
        pusher: Pusher,
        complete_resync: _CompleteResync,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._pusher = pusher
        self._complete_resync = complete_resync
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._told: set[str] = set()
        self._measuring, self._telling = _Every(_TELLING_SECONDS), _Every(_TELLING_SECONDS)
        self._housekeeping = _Every(_HOUSEKEEPING_SECONDS, at_once=False)

    def start(self) -> None:
        """Begin. The decider may serve at once; acts are PENDING until the vault answers."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present push."""
        self._stop.set()
        self._thread.join(timeout=_PUSH_SECONDS + 1)

    def _run(self) -> None:
        first = True
        while not self._stop.is_set():
            pause = _PAUSE_SECONDS
            try:
                known, pause = self._round(first)
                first = not known
            except Exception as error:  # noqa: BLE001 - a dispatcher never gives up
                # Whatever it was, the outbox is still there; the next round
                # tries again, and the alarm says that it had to.
                self._metrics.alarms.labels("dispatcher").inc()
                self._log.error("dispatcher failed", error=type(error).__name__)
                self._stop.wait(1.0)
            self._stop.wait(pause)

    def _round(self, first: bool) -> tuple[bool, float]:
        """One round: whether the vault knows the decider, and the seconds until the next."""
        now = self._clock.now()
        with self._database.look() as connection:
            if self._measuring.is_due():
                self._measure(connection, now)
            life = store_life.read_life(connection)
            keys = store_outbox.due(connection, now, _BATCH)
            soonest = store_outbox.soonest(connection)
        if life.incarnation == 0 or (first and self._restored(life)):
            return self._pusher.renew(life), _PAUSE_SECONDS
        self._push(keys)
        if not life.resynced or self._telling.is_due():
            self._speak(life)
        if self._housekeeping.is_due():
            with self._database.transaction() as connection:
                idempotency.forget_old(connection, self._clock.now())
        if not life.resynced or keys:
            return True, _PAUSE_SECONDS
        return True, _pause_before(soonest, now)

    def _measure(self, connection: Connection, now: datetime) -> None:
        """Counts the whole outbox, which after a restore is everybody."""
        found = store_outbox.oldest_pending(connection, now)
        self._told |= found.keys()
        for topic in self._told:
            self._metrics.oldest_pending.labels(topic).set(found.get(topic, 0.0))

    def _restored(self, life: Life) -> bool:
        with self._database.transaction() as connection:
            return store_life.database_identity(connection) != life.database_identity

    def _push(self, keys: Sequence[Key]) -> None:
        for topic in sorted({key.topic for key in keys}):
            of_topic = [key for key in keys if key.topic == topic]
            for first in range(0, len(of_topic), MOST_TOGETHER):
                together = of_topic[first : first + MOST_TOGETHER]
                if self._stop.is_set():
                    return
                if len(self._pusher.push_all(together, _PUSH_SECONDS)) < len(together):
                    return

    def _speak(self, life: Life) -> None:
        """Tell the vault that all is pushed; hear of it where the vault was restored."""
        with self._database.transaction() as connection:
            if store_outbox.resync_left(connection):
                return
        request = vault_pb2.CompleteResyncRequest(
            incarnation=life.incarnation, vault_incarnation=life.vault_incarnation
        )
        try:
            answer = self._complete_resync(request, _PUSH_SECONDS)
        except Refusal:
            return
        if not answer.counts:
            self._pusher.renew(life)
        elif not life.resynced:
            with self._database.transaction() as connection:
                present = store_life.read_life(connection)
                if present == life:
                    store_life.write_life(
                        connection,
                        Life(
                            life.incarnation, life.vault_incarnation, life.database_identity, True
                        ),
                    )


class _Every:
    """What is done about once in so many seconds; the first time at once, where it is to be."""

    def __init__(self, seconds: float, *, at_once: bool = True) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + (0.0 if at_once else seconds)

    def is_due(self) -> bool:
        """Whether it is time; the next time comes after the same seconds."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def _pause_before(soonest: datetime | None, now: datetime) -> float:
    """Until the next push is due, within the pauses of a dispatcher."""
    if soonest is None:
        return _IDLE_SECONDS
    return min(_IDLE_SECONDS, max(_PAUSE_SECONDS, (soonest - now).total_seconds()))
