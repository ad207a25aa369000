# SPDX-License-Identifier: Apache-2.0
"""The first transaction of releases: decide, and commit PREPARED before the vault is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.lane import Lane
from services.chassis.refusal import IdempotencyKeyReused
from services.disclosure import store_places, store_recipients, store_releases
from services.disclosure.permission import Denial, denial
from services.disclosure.recipient import Recipient
from services.disclosure.release import CLAUSE
from services.disclosure.servicer_attempt import (
    Against,
    Attempt,
    Prepared,
    attempted,
    record_refusals,
)
from services.disclosure.store_places import Key, Place


class Preparing:
    """Decides on attempts."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: IdempotencyKeys,
        refusals: RefusalLog,
        lane: Lane,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._refusals = refusals
        self._lane = lane

    def prepare(self, attempts: Sequence[Attempt]) -> list[Prepared | Exception]:
        """Decide on all in one transaction; refusals are on record in it."""
        now = self._clock.now()
        ids = [new_uuid() for _ in attempts]
        with self._database.transaction() as connection, self._lane.entered():
            reused = self._guard(connection, attempts, ids, now)
            wanted = [(a.call.principal.site_id, a.delivery_id) for a in attempts]
            store_places.lock(connection, wanted)
            places = store_places.read(connection, wanted)
            askers = store_recipients.find_all(
                connection,
                {(a.call.principal.site_id, a.call.principal.recipient_id) for a in attempts},
            )
            decided: list[Prepared | Denial | Exception] = []
            counted: set[str] = set()
            for n, attempt in enumerate(attempts):
                site_id, recipient_id = wanted[n][0], attempt.call.principal.recipient_id
                asker = askers.get((site_id, recipient_id))
                place = places.get(wanted[n])
                decided.append(reused[n] or _decided(attempt, ids[n], place, asker, counted, now))
            return self._write(connection, attempts, ids, places, decided, now)

    def _guard(
        self,
        connection: Connection,
        attempts: Sequence[Attempt],
        ids: Sequence[str],
        now: datetime,
    ) -> list[Exception | None]:
        single = [n for n, attempt in enumerate(attempts) if attempt.single]
        begun = self._keys.begin_each(connection, [(attempts[n].call, ids[n]) for n in single], now)
        reused: list[Exception | None] = [None] * len(attempts)
        for n, stands in zip(single, begun, strict=True):
            if isinstance(stands, IdempotencyKeyReused):
                reused[n] = stands
        return reused

    def _write(
        self,
        connection: Connection,
        attempts: Sequence[Attempt],
        ids: Sequence[str],
        places: Mapping[Key, Place],
        decided: Sequence[Prepared | Denial | Exception],
        now: datetime,
    ) -> list[Prepared | Exception]:
        refused = []
        for attempt, release_id, decision in zip(attempts, ids, decided, strict=True):
            if isinstance(decision, Denial):
                place = places.get((attempt.call.principal.site_id, attempt.delivery_id))
                release = (
                    None
                    if place is None
                    else attempted(attempt, release_id, place.delivery, counted=False, now=now)
                )
                refused.append(Against(attempt, decision, release))
        turned = iter(record_refusals(connection, self._refusals, refused, now))
        outcomes: list[Prepared | Exception] = [
            next(turned) if isinstance(each, Denial) else each for each in decided
        ]
        prepared = [each.release for each in outcomes if isinstance(each, Prepared)]
        store_releases.prepare(connection, prepared, now)
        return outcomes


def _decided(
    attempt: Attempt,
    release_id: str,
    place: Place | None,
    asker: Recipient | None,
    counted: set[str],
    now: datetime,
) -> Prepared | Denial:
    if place is None:
        return Denial("NOT_FOUND", CLAUSE)
    principal = attempt.call.principal
    against = denial(
        asker,
        principal.recipient_id,
        principal.certificate_sha256,
        place.delivery,
        place.order,
        place.fetches,
        now,
    )
    if against is not None:
        return against
    counts = place.fetches.counts(now) and attempt.delivery_id not in counted
    counted.add(attempt.delivery_id)
    release = attempted(attempt, release_id, place.delivery, counted=counts, now=now)
    return Prepared(attempt, release)
