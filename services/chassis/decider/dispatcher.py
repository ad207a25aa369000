# SPDX-License-Identifier: Apache-2.0
"""Pushes what was not confirmed, for ever, and keeps the decider known to the vault."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from qupia.vault.v1 import vault_pb2
from services.chassis import idempotency
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.decider import store_life, store_outbox
from services.chassis.decider.pusher import MOST_TOGETHER, Pusher
from services.chassis.decider.store_life import Life
from services.chassis.metrics import Metrics
from services.chassis.refusal import Refusal

_PAUSE_SECONDS = 0.1
_PUSH_SECONDS = 2.0
_BATCH = 200
_TELLING_ROUNDS = 10  # about once a second
_HOUSEKEEPING_ROUNDS = 36_000  # about once an hour
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
        self._rounds = 0
        self._told: set[str] = set()

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
            try:
                first = not self._round(first)
            except Exception as error:  # noqa: BLE001 - a dispatcher never gives up
                # Whatever it was, the outbox is still there; the next round
                # tries again, and the alarm says that it had to.
                self._metrics.alarms.labels("dispatcher").inc()
                self._log.error("dispatcher failed", error=type(error).__name__)
                self._stop.wait(1.0)
            self._stop.wait(_PAUSE_SECONDS)

    def _round(self, first: bool) -> bool:
        """One round; True where the decider is known to the vault."""
        life = self._life()
        if life.incarnation == 0 or (first and self._restored(life)):
            return self._pusher.renew(life)
        self._drain()
        self._rounds += 1
        if not life.resynced or self._rounds % _TELLING_ROUNDS == 0:
            self._speak(life)
        if self._rounds % _HOUSEKEEPING_ROUNDS == 0:
            with self._database.transaction() as connection:
                idempotency.forget_old(connection, self._clock.now())
        return True

    def _life(self) -> Life:
        with self._database.look() as connection:
            # Counts the whole outbox, which after a restore is everybody: once a second.
            if self._rounds % _TELLING_ROUNDS == 0:
                found = store_outbox.oldest_pending(connection, self._clock.now())
                self._told |= found.keys()
                for topic in self._told:
                    self._metrics.oldest_pending.labels(topic).set(found.get(topic, 0.0))
            return store_life.read_life(connection)

    def _restored(self, life: Life) -> bool:
        with self._database.transaction() as connection:
            return store_life.database_identity(connection) != life.database_identity

    def _drain(self) -> None:
        with self._database.look() as connection:
            keys = store_outbox.due(connection, self._clock.now(), _BATCH)
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
