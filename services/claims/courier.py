# SPDX-License-Identifier: Apache-2.0
"""Brings sealed documents to the vault: at once where it can, otherwise for ever."""

from collections.abc import Callable
from typing import Any

from services.chassis.clock import Clock
from services.chassis.database import Database
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
from services.claims import store_documents
from services.claims.documents import SealedDocument

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
    """Delivers the documents of one service; `round` is what runs beside the server."""

    def __init__(
        self, database: Database, put: Put, clock: Clock, metrics: Metrics, log: Any
    ) -> None:
        self._database = database
        self._put = put
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def deliver(self, site_id: str, claim_id: str, seconds: Callable[[], float]) -> None:
        """Deliver a claim's documents as far as `seconds` (what is left now) allows.

        Never raises for a vault that refuses or cannot be reached: the rounds go on with it.
        """
        with self._database.transaction() as connection:
            documents = store_documents.undelivered_of(connection, site_id, claim_id)
        for document in documents:
            left = min(_PUT_SECONDS, seconds())
            if left <= 0 or not self._deliver(document, left):
                return

    def round(self) -> float:
        """Deliver what is due; returns the seconds until the next round."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            documents = store_documents.due(connection, now, _BATCH)
            age = store_documents.oldest_undelivered(connection, now)
        self._metrics.oldest_pending.labels(TOPIC).set(age)
        for document in documents:
            if not self._deliver(document, _PUT_SECONDS):
                break
        return _PAUSE_SECONDS

    def _deliver(self, document: SealedDocument, seconds: float) -> bool:
        """One attempt; False where the vault takes nothing at all now."""
        try:
            self._put(document, seconds)
        except SubjectDestroyed:
            # Kept on, it would be the one thing of that person that somebody can still open.
            with self._database.transaction() as connection:
                store_documents.abandon(connection, document)
            self._log.warning("document abandoned", topic=TOPIC, reason=SubjectDestroyed.reason)
            return True
        except _NOT_NOW:
            self._postpone(document, _MOST_SECONDS_AWAY)
            return False
        except Refusal as refusal:
            self._postpone(document, _MOST_SECONDS_REFUSED)
            self._log.warning("document refused", topic=TOPIC, reason=refusal.reason)
            return True
        with self._database.transaction() as connection:
            store_documents.mark_delivered(connection, document, self._clock.now())
        return True

    def _postpone(self, document: SealedDocument, most_seconds: float) -> None:
        with self._database.transaction() as connection:
            store_documents.postpone(connection, document, self._clock.now(), most_seconds)
