# SPDX-License-Identifier: Apache-2.0
"""Ends the pick-ups that were left PREPARED by a crash or a vault that could not be heard (5.3).

Like the reconciler of deliveries it never calls RELEASED what it cannot show left. Where the vault
gave nothing out, the code may be brought again; where it did, another release has to be decided.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.chassis import evidence
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import Refusal, Unavailable
from services.disclosure import store_authority_releases, store_authority_requests, store_ledger
from services.disclosure.authority_release import (
    CLAUSE,
    AuthorityRelease,
    could_have_left,
    line,
    references,
)
from services.disclosure.authority_request import AuthorityRequest, RequestState
from services.disclosure.ledger import Outcome
from services.disclosure.release import ReleaseState, reconciled
from services.disclosure.servicer_authority_desk import Desk

_VAULT_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_BATCH = 50


class AuthorityReconciler:
    """`round` looks for attempts older than `after`."""

    def __init__(self, desk: Desk, metrics: Metrics, log: Any, after: timedelta) -> None:
        self._desk = desk
        self._metrics = metrics
        self._log = log
        self._after = after

    def round(self) -> float:
        """End what is due; returns the seconds until the next round."""
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.transaction() as connection:
            oldest = store_authority_releases.oldest_prepared(connection)
            due = store_authority_releases.left_prepared(connection, now - self._after, _BATCH)
        age = (now - oldest).total_seconds() if oldest else 0.0
        self._metrics.oldest_pending.labels("authority_releases").set(age)
        for release in due:
            try:
                entry_id = desk.vault.find_release_entry(
                    release.site_id, release.release_id, _VAULT_SECONDS
                )
            except Unavailable:
                break
            except Refusal as refusal:
                self._log.error("release not reconciled", reason=refusal.reason)
                continue
            self._end(release, entry_id)
        return _PAUSE_SECONDS

    def _end(self, release: AuthorityRelease, entry_id: str) -> None:
        desk, now, state = self._desk, self._desk.clock.now(), reconciled(entry_id)
        with desk.database.transaction() as connection:
            request = store_authority_requests.find(
                connection, release.site_id, release.request_id, lock=True
            )
            assert request is not None, "a request is never deleted"
            fields = could_have_left(request) if entry_id else ()
            ended = store_authority_releases.end(
                connection, release, state, now, entry_id=entry_id, fields=fields
            )
            if not ended:
                return
            proof = _proof(request, release, entry_id)
            proof = replace(proof, secret_until=request.secrecy(now))
            if state is ReleaseState.WITHDRAWN:
                subject = pseudonym_of(connection, release.site_id, release.subject_id)
                evidence.append(connection, replace(proof, subject=subject), now)
                return
            store_authority_requests.save(connection, _unseen(request, now))
            outcome, first = Outcome.RELEASED_UNCERTAIN, release.first_release_id
            told = line(request, release.release_id, outcome, now, fields, first=first)
            store_ledger.record_authority(connection, told, proof)


def _unseen(request: AuthorityRequest, now: datetime) -> AuthorityRequest:
    """The same when nobody saw the package leave; of a repeat the first one was seen."""
    if request.state is RequestState.PICKED_UP:
        return replace(request, code_sha256="")
    return replace(request, state=RequestState.UNCERTAIN, code_sha256="", pick_up_time=now)


def _proof(request: AuthorityRequest, release: AuthorityRelease, entry_id: str) -> Entry:
    refs = {**references(request), "release_id": release.release_id, "entry_id": entry_id}
    return Entry(
        event="authority_package.reconciled",
        verb="TRANSFER",
        outcome=evidence.PERMITTED if entry_id else evidence.REFUSED,
        site_id=request.site_id,
        principal="process/disclosure",
        clause=CLAUSE,
        reason="" if entry_id else "UNAVAILABLE",
        refs={name: value for name, value in refs.items() if value},
    )
