# SPDX-License-Identifier: Apache-2.0
"""Brings sealed documents to the vault: at once where it can, otherwise for ever."""

from collections.abc import Callable, Collection, Iterator, Sequence
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
# While something waits, and while nothing does: whoever keeps a document delivers it first.
_PAUSE_SECONDS, _IDLE_SECONDS = 0.2, 0.5
_MOST_TOGETHER = 100
# Of the megabyte that one call may have; the places of a hundred documents take some 30 kilobytes.
_MOST_BYTES_TOGETHER = 900_000
# A vault that is away takes nothing: wait a little. One that refuses a document may take others.
_NOT_NOW = (Unavailable, VaultNotReady, KeyUnavailable, Overloaded, DeadlineExceeded)
_MOST_SECONDS_AWAY, _MOST_SECONDS_REFUSED = 2.0, 60.0

Put = Callable[[SealedDocument, float], None]
"""Gives one document to the vault within so many seconds. Raises Refusal."""
PutTogether = Callable[[Sequence[SealedDocument], float], None]
"""Gives several documents to the vault: all of them, or none. Raises Refusal."""


class Courier:
    """Delivers the documents of one service; `round` is what runs beside the server.

    `put_together` is used where there are several. `final` are the refusals after which a document
    will never be taken: like those of a destroyed person it goes.
    `kept`: whether a trace of what was delivered stays.
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
        put_together: PutTogether | None = None,
    ) -> None:
        self._database = database
        self._put = put
        self._put_together = put_together
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._final: tuple[type[Refusal], ...] = (SubjectDestroyed, *final)
        self._settle = store.mark_delivered if kept else _forget
        self._abandon = store.abandon if kept else store.forget

    def deliver(self, things: Collection[tuple[str, str]], seconds: Callable[[], float]) -> None:
        """Deliver the documents of things (site, id) as far as `seconds` (left now) allows.

        Never raises for a vault that refuses or cannot be reached: the rounds go on with it.
        """
        with self._database.transaction() as connection:
            documents = store.undelivered_of(connection, things)
        self._bring(documents, lambda: min(_PUT_SECONDS, seconds()))

    def round(self) -> float:
        """Deliver what is due; returns the seconds until the next round."""
        now = self._clock.now()
        with self._database.look() as connection:
            documents = store.due(connection, now, _BATCH)
            age = store.oldest_undelivered(connection, now)
        self._metrics.oldest_pending.labels(TOPIC).set(age)
        self._bring(documents, lambda: _PUT_SECONDS)
        return _PAUSE_SECONDS if age else _IDLE_SECONDS

    def _bring(self, documents: Sequence[SealedDocument], seconds: Callable[[], float]) -> None:
        """Deliver one after the other, as long as the vault takes any and time is left; what it
        has taken is written down at once. Written down or not, it may be brought again."""
        taken: list[SealedDocument] = []
        try:
            for together in self._grouped(documents):
                if len(together) > 1 and self._deliver_together(together, seconds(), taken):
                    continue
                for document in together:
                    left = seconds()
                    if left <= 0 or not self._deliver(document, left, taken):
                        return
        finally:
            if taken:
                with self._database.transaction() as connection:
                    self._settle(connection, taken, self._clock.now())

    def _grouped(self, documents: Sequence[SealedDocument]) -> Iterator[list[SealedDocument]]:
        """Neighbours that fit into one call; each alone where none takes several."""
        group: list[SealedDocument] = []
        size = 0
        for document in documents:
            fits = self._put_together is not None and len(group) < _MOST_TOGETHER
            size += len(document.sealed)
            if group and not (fits and size <= _MOST_BYTES_TOGETHER):
                yield group
                group, size = [], len(document.sealed)
            group.append(document)
        if group:
            yield group

    def _deliver_together(
        self, documents: Sequence[SealedDocument], seconds: float, taken: list[SealedDocument]
    ) -> bool:
        """One attempt; False where each has to be brought by itself, which tells what is wrong."""
        assert self._put_together is not None
        if seconds <= 0:
            return False
        try:
            self._put_together(documents, seconds)
        except Refusal:
            return False
        taken.extend(documents)
        return True

    def _deliver(
        self, document: SealedDocument, seconds: float, taken: list[SealedDocument]
    ) -> bool:
        """One attempt; False where the vault takes nothing at all now."""
        try:
            self._put(document, seconds)
        except self._final as refusal:
            # Kept on, it would be the one thing of that person that somebody can still open.
            with self._database.transaction() as connection:
                self._abandon(connection, [document])
            self._log.warning("document abandoned", topic=TOPIC, reason=refusal.reason)
            return True
        except _NOT_NOW:
            self._postpone(document, _MOST_SECONDS_AWAY)
            return False
        except Refusal as refusal:
            self._postpone(document, _MOST_SECONDS_REFUSED)
            self._log.warning("document refused", topic=TOPIC, reason=refusal.reason)
            return True
        taken.append(document)
        return True

    def _postpone(self, document: SealedDocument, most_seconds: float) -> None:
        with self._database.transaction() as connection:
            store.postpone(connection, document, self._clock.now(), most_seconds)


def _forget(connection: Connection, documents: Sequence[SealedDocument], _now: datetime) -> None:
    store.forget(connection, documents)
