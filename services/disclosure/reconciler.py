# SPDX-License-Identifier: Apache-2.0
"""Ends the releases that were left PREPARED by a crash or a vault that could not be heard.

It never calls RELEASED what it cannot show left: where the vault has an entry,
the release becomes RELEASED_UNCERTAIN; where it has none, WITHDRAWN.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import Refusal, Unavailable
from services.disclosure import store_fetches, store_ledger, store_places, store_releases
from services.disclosure.ledger import Outcome, left, references
from services.disclosure.permission import Denial
from services.disclosure.release import CLAUSE, FIELDS, Release, ReleaseState, reconciled

_VAULT_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_BATCH = 200
FindEntry = Callable[[str, str, float], str]
"""The vault's entry for (site, release), empty where none, within seconds. Raises Refusal."""


class Reconciler:
    """`round` looks for releases older than `after`."""

    def __init__(
        self,
        database: Database,
        find_entry: FindEntry,
        clock: Clock,
        metrics: Metrics,
        log: Any,
        after: timedelta,
    ) -> None:
        self._database = database
        self._find_entry = find_entry
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._after = after

    def round(self) -> float:
        """End what is due; returns the seconds until the next round."""
        self.reconcile()
        return _PAUSE_SECONDS

    def reconcile(self) -> int:
        """End what is due; returns how many releases that were.

        Stops where the vault cannot be reached. Raises
        Unavailable where the broker's own database cannot be used.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            oldest = store_releases.oldest_prepared(connection)
            due = store_releases.left_prepared(connection, now - self._after, _BATCH)
        age = (now - oldest).total_seconds() if oldest else 0.0
        self._metrics.oldest_pending.labels("releases").set(age)
        ended = 0
        for release in due:
            try:
                entry_id = self._find_entry(release.site_id, release.release_id, _VAULT_SECONDS)
            except Unavailable:
                break
            except Refusal as refusal:
                self._log.error("release not reconciled", reason=refusal.reason)
                continue
            ended += self._end(release, entry_id)
        return ended

    def _end(self, release: Release, entry_id: str) -> bool:
        now, state = self._clock.now(), reconciled(entry_id)
        with self._database.transaction() as connection:
            if state is ReleaseState.WITHDRAWN:
                store_places.lock(connection, [(release.site_id, release.delivery_id)])
                nothing = Denial("UNAVAILABLE", CLAUSE)
                unleft = store_releases.Unleft(release, state, nothing)
                ended = bool(store_releases.end_unleft(connection, [unleft], now))
                if ended:
                    store_fetches.hand_on(connection, [release])
                    subject = pseudonym_of(connection, release.site_id, release.subject_id)
                    evidence.append(connection, _proof(release, "", subject), now)
                return ended
            # Which of them left is not known: all that could have.
            fields = sorted(FIELDS[release.kind])
            way = store_releases.Left(release, entry_id, fields)
            ended = bool(store_releases.end_left(connection, [way], state, now))
            if ended:
                line = left(release, Outcome.RELEASED_UNCERTAIN, now, fields)
                proof = _proof(release, entry_id, "")
                store_ledger.record_left(connection, [(line, proof)], now)
        return ended


def _proof(release: Release, entry_id: str, subject: str) -> Entry:
    refs = references(release) | {"release_id": release.release_id}
    return Entry(
        event="delivery.reconciled",
        verb="TRANSFER",
        outcome=evidence.PERMITTED if entry_id else evidence.REFUSED,
        site_id=release.site_id,
        principal="process/disclosure",
        subject=subject,
        clause=CLAUSE,
        reason="" if entry_id else "UNAVAILABLE",
        refs=refs | ({"entry_id": entry_id} if entry_id else {}),
    )
