# SPDX-License-Identifier: Apache-2.0
"""Brings sealed documents to the vault: at once where it can, otherwise for ever."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.metrics import Metrics
from services.chassis.refusal import (
    DeadlineExceeded,
    KeyUnavailable,
    Overloaded,
    Refusal,
    SubjectDestroyed,
    Unavailable,
    VaultNotReady,
)
from services.chassis.sealed import store
from services.chassis.sealed.document import SealedDocument

TOPIC = "documents"
_BATCH = 100
_PUT_SECONDS = 2.0
_PAUSE_SECONDS = 0.2
# A vault that is away takes nothing: wait a little. One that refuses a document may take others.
_NOT_NOW = (Unavailable, VaultNotReady, KeyUnavailable, Overloaded, DeadlineExceeded)
_MOST_SECONDS_AWAY, _MOST_SECONDS_REFUSED = 2.0, 60.0

Put = Callable[[SealedDocument, float], None]
"""Gives one document to the vault within so many seconds. Raises Refusal."""


class Courier:
    """Delivers the documents of one service; `round` is what runs beside the server.

    `final` are the refusals after which a document will never be taken: like those of a destroyed
    person it goes. `kept`: whether a trace of what was delivered stays.
    """

    def __init__(
        self,
        database: Database,
        put: Put,
        clock: Clock,
        metrics: Metrics,
        log: Any,
        *,
        final: tuple[type[Refusal], ...] = (),
        kept: bool = True,
    ) -> None:
        self._database = database
        self._put = put
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._final: tuple[type[Refusal], ...] = (SubjectDestroyed, *final)
        self._settle = store.mark_delivered if kept else _forget
        self._abandon = store.abandon if kept else store.forget

    def deliver(self, site_id: str, bound_to: str, seconds: Callable[[], float]) -> None:
        """Deliver a thing's documents as far as `seconds` (what is left now) allows.

        Never raises for a vault that refuses or cannot be reached: the rounds go on with it.
        """
        with self._database.transaction() as connection:
            documents = store.undelivered_of(connection, site_id, bound_to)
        for document in documents:
            left = min(_PUT_SECONDS, seconds())
            if left <= 0 or not self._deliver(document, left):
                return

    def round(self) -> float:
        """Deliver what is due; returns the seconds until the next round."""
        now = self._clock.now()
        with self._database.look() as connection:
            documents = store.due(connection, now, _BATCH)
            age = store.oldest_undelivered(connection, now)
        self._metrics.oldest_pending.labels(TOPIC).set(age)
        for document in documents:
            if not self._deliver(document, _PUT_SECONDS):
                break
        return _PAUSE_SECONDS

    def _deliver(self, document: SealedDocument, seconds: float) -> bool:
        """One attempt; False where the vault takes nothing at all now."""
        try:
            self._put(document, seconds)
        except self._final as refusal:
            # Kept on, it would be the one thing of that person that somebody can still open.
            with self._database.transaction() as connection:
                self._abandon(connection, document)
            self._log.warning("document abandoned", topic=TOPIC, reason=refusal.reason)
            return True
        except _NOT_NOW:
            self._postpone(document, _MOST_SECONDS_AWAY)
            return False
        except Refusal as refusal:
            self._postpone(document, _MOST_SECONDS_REFUSED)
            self._log.warning("document refused", topic=TOPIC, reason=refusal.reason)
            return True
        with self._database.transaction() as connection:
            self._settle(connection, document, self._clock.now())
        return True

    def _postpone(self, document: SealedDocument, most_seconds: float) -> None:
        with self._database.transaction() as connection:
            store.postpone(connection, document, self._clock.now(), most_seconds)


def _forget(connection: Connection, document: SealedDocument, _now: datetime) -> None:
    store.forget(connection, document)
