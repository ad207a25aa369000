# SPDX-License-Identifier: Apache-2.0
"""Finds in the vault what a book that was set back has lost, and sees to what follows (6.2.3).

A push is answered with what its slice lacked. A subject of whom the book has no slice is never
pushed: once an incarnation has pushed all it knows, the vault is asked whose claims slice it has
from an incarnation before. Nothing is kept of how far that came, so that no restart and no restore
sets it wrong: the slices that were mended and pushed are not named again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.decider import store as decider_store
from services.chassis.decider import store_life
from services.chassis.decider.pusher import Pusher
from services.chassis.decider.store import Key
from services.chassis.metrics import Metrics
from services.chassis.refusal import Refusal, Unavailable
from services.claims import store, store_acts, store_facts, store_recovery
from services.claims.claim import Claim
from services.claims.mending import MENDED, Mender, record
from services.claims.recovery import HeldClaim
from services.claims.store_acts import Compose
from services.claims.store_recovery import KeptDocument

_LIST_SECONDS, _PUSH_SECONDS = 2.0, 2.0
_PAUSE_SECONDS: Final = 0.5
_BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class LostSubject:
    """A subject whose claims slice the book may have lost, and what the vault holds of it."""

    site_id: str
    subject_id: str
    held: Sequence[HeldClaim]


class Vault(Protocol):
    """What is asked of the vault; each raises Refusal."""

    def lost_claims(
        self, incarnation: int, page_token: str, timeout: float
    ) -> tuple[list[LostSubject], str | None] | None:
        """A page of subjects, and where the next one begins (None: that was the last); None where
        that incarnation is not the present one, or has not pushed all it knows."""
        ...

    def documents_of(
        self, site_id: str, claim_id: str, subject_ids: Sequence[str], timeout: float
    ) -> Sequence[KeptDocument]:
        """The documents that lie there for a claim."""
        ...


class Recovering:
    """The rounds that bring back what was lost."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        pusher: Pusher,
        mender: Mender,
        compose: Compose,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._vault = vault
        self._pusher = pusher
        self._mender = mender
        self._compose = compose
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._searched = 0
        self._told = 0

    def round(self) -> float:
        """Ask for what is lost, then see to what was put back; the seconds until the next round."""
        try:
            self._search()
            self._follow()
        except Refusal as refusal:
            # What the vault has to tell waits there. That it is away is told elsewhere.
            if not isinstance(refusal, Unavailable):
                self._log.warning("the vault tells nothing", reason=refusal.reason)
        return _PAUSE_SECONDS

    def _search(self) -> None:
        """Once per incarnation, until nothing is named any more."""
        with self._database.look() as connection:
            life = store_life.read_life(connection)
        if not life.resynced or self._searched == life.incarnation:
            return
        token: str | None = ""
        lost = mended = 0
        while token is not None:
            page = self._vault.lost_claims(life.incarnation, token, _LIST_SECONDS)
            if page is None:
                return
            found, token = page
            lost += len(found)
            mended += sum(self.take_in(each) for each in found)
        if mended:
            self._metrics.alarms.labels("claims_lost").inc()
            self._log.error("subjects were lost and recovered", count=mended)
        elif lost and self._told != life.incarnation:
            # Blocked for the contact of somebody whose claim nobody knows any more.
            self._told = life.incarnation
            self._metrics.alarms.labels("claims_lost").inc()
            self._log.error("slices that no claim stands behind", count=lost)
        if not lost:
            self._searched = life.incarnation

    def take_in(self, lost: LostSubject) -> bool:
        """Mend the book with what is held of a subject, and push it; False where it lacked
        nothing."""
        key = store_acts.key_of(lost.site_id, lost.subject_id)
        with self._database.transaction() as connection:
            mended = self._mender.mend(connection, key, lost.held)
        if mended:
            self._pusher.push(key, _PUSH_SECONDS)
        return mended

    def _follow(self) -> None:
        with self._database.look() as connection:
            places = store_recovery.to_do(connection, self._clock.now(), _BATCH)
        for site_id, claim_id, since in places:
            with self._database.transaction() as connection:
                now = self._clock.now()
                until = store_recovery.take(connection, site_id, claim_id, since, now)
                claim = store.read_claim(connection, site_id, claim_id)
            if claim is not None and until is not None:
                self._see_to(claim, until)

    def _see_to(self, claim: Claim, taken_until: datetime) -> None:
        """Know of its documents, and let the slices of all whom it names say what it says."""
        place = (claim.site_id, claim.claim_id)
        kept = self._vault.documents_of(*place, claim.subject_ids, _LIST_SECONDS)
        with self._database.transaction() as connection:
            claim, counters = store_acts.lock_claim(connection, claim)
            now = self._clock.now()
            store_recovery.adopt_documents(connection, kept)
            keys = [store_acts.key_of(claim.site_id, each) for each in claim.subject_ids]
            written = [
                key
                for key in keys
                if self._rewrite(connection, claim, key, counters[key.subject_id], now)
            ]
            store_recovery.is_done(connection, *place, taken_until)
        self._pusher.push_all(written, _PUSH_SECONDS)

    def _rewrite(
        self, connection: Connection, claim: Claim, key: Key, counter: int, now: datetime
    ) -> bool:
        """Write a slice that does not say what the claims do; whether it had to be."""
        body = self._compose(store_facts.facts_of(connection, key.site_id, key.subject_id))
        if body == store_recovery.slice_body(connection, key):
            return False
        alone = replace(claim, subject_ids=(key.subject_id,))
        record(connection, alone, key, counter, MENDED, {"slice": "REWRITTEN"}, now)
        decider_store.write_slice(connection, key, counter, body, now)
        return True
