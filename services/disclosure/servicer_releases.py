# SPDX-License-Identifier: Apache-2.0
"""The release of a delivery (clauses 3.4, 5.2): on record before a byte leaves (I3, I4).

Transaction 1 decides and commits PREPARED; the vault decides on its own
standing, writes its entry and gives the data; transaction 2 commits RELEASED
with the line of the ledger and the evidence; then the answer leaves. Whatever
ends in between leaves a PREPARED release to the reconciler, and no data.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NoReturn, cast

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.pipeline import is_decision
from services.chassis.refusal import (
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    Refusal,
    Unavailable,
    refusal_of,
)
from services.disclosure import (
    store_deliveries,
    store_ledger,
    store_orders,
    store_recipients,
    store_releases,
    wire,
)
from services.disclosure.ledger import Disclosure, Outcome, left, references, refused
from services.disclosure.order import Delivery
from services.disclosure.release import CLAUSE, Denial, Release, ReleaseState, denial
from services.disclosure.servicer_acts import PERMITTED, REFUSED, entry

_VAULT_SECONDS = 2.0
_ANSWER_SECONDS = 0.5
ReadForRelease = Callable[
    [vault_pb2.ReadForReleaseRequest, float], vault_pb2.ReadForReleaseResponse
]
"""Asks the vault, within so many seconds. Raises Refusal."""


class ReleaseServicer:
    """Releases deliveries."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: IdempotencyKeys,
        refusals: RefusalLog,
        read_for_release: ReadForRelease,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._refusals = refusals
        self._read_for_release = read_for_release

    def release_delivery(self, call: Call) -> disclosure_pb2.ReleaseDeliveryResponse:
        """Release to the recipient the delivery is assigned to; a repeat decides again.

        Raises the true refusal, which the pipeline veils; Unavailable where it
        is not known what the vault did.
        """
        timeout = min(_VAULT_SECONDS, call.remaining() - _ANSWER_SECONDS)
        if timeout <= 0:
            raise DeadlineExceeded
        release = self._prepare(call)
        read = self._read(call, release, timeout)
        return self._release(call, release, read)

    def _prepare(self, call: Call) -> Release:
        """Transaction 1. Raises the broker's own refusal once it is on record."""
        request = cast(disclosure_pb2.ReleaseDeliveryRequest, call.request)
        site_id, recipient_id = call.principal.site_id, call.principal.recipient_id
        if not recipient_id:
            raise PermissionDenied
        now = self._clock.now()
        with self._database.transaction() as connection:
            delivery = store_deliveries.find(connection, site_id, request.delivery_id, lock=True)
            if delivery is None:
                raise NotFound
            release = _attempt(delivery, recipient_id, now)
            # The key only guards against another request under it: whoever
            # comes again is decided on again.
            self._keys.begin(connection, call, release.release_id, now)
            order = store_orders.registration(connection, site_id, delivery.registration_id)
            asker = store_recipients.find(connection, site_id, recipient_id)
            against = denial(asker, recipient_id, delivery, order.state, now)
            if against is None:
                store_releases.prepare(connection, release)
            else:
                store_ledger.record_refusal(
                    connection, self._refusals, *_refusal(call, release, against, now)
                )
        if against is not None:
            call.recorded = True
            raise refusal_of(against.reason, against.clause)
        return release

    def _read(self, call: Call, release: Release, timeout: float) -> vault_pb2.ReleaseRead:
        """Ask the vault. Raises its refusal once it is on record, Unavailable where unknown."""
        request = vault_pb2.ReadForReleaseRequest(items=[wire.release_item(release)])
        try:
            outcomes = self._read_for_release(request, timeout).outcomes
        except Refusal:
            raise Unavailable(retry_after=1) from None
        if len(outcomes) == 1 and outcomes[0].read.entry_id:
            return outcomes[0].read
        if len(outcomes) == 1 and outcomes[0].problem.code:
            self._refuse(call, release, outcomes[0].problem)
        raise Unavailable(retry_after=1)

    def _refuse(self, call: Call, release: Release, problem: vault_pb2.Problem) -> NoReturn:
        """Transaction 2 where the vault refused."""
        reason = contract_pb2.Refusal.Reason.Name(problem.code)
        refusal = refusal_of(reason, problem.clause)
        decided = is_decision(refusal)
        state = ReleaseState.REFUSED if decided else ReleaseState.WITHDRAWN
        against = Denial(reason, refusal.clause)
        now = self._clock.now()
        with self._database.transaction() as connection:
            store_releases.end_unleft(connection, release, state, against, now)
            if decided:
                store_ledger.record_refusal(
                    connection, self._refusals, *_refusal(call, release, against, now)
                )
        call.recorded = decided
        raise refusal

    def _release(
        self, call: Call, release: Release, read: vault_pb2.ReleaseRead
    ) -> disclosure_pb2.ReleaseDeliveryResponse:
        """Transaction 2 where the vault gave the data out; after its commit they may leave."""
        now = self._clock.now()
        fields = wire.released_fields(release.kind, read)
        with self._database.transaction() as connection:
            store_deliveries.find(connection, release.site_id, release.delivery_id, lock=True)
            first = store_releases.first(connection, release)
            if not store_releases.end_left(
                connection, release, ReleaseState.RELEASED, read.entry_id, fields, first, now
            ):
                # The reconciler was faster and did not see them leave.
                raise Unavailable(retry_after=1)
            outcome = Outcome.REPEAT if first else Outcome.RELEASED
            refs = {"release_id": release.release_id, "entry_id": read.entry_id}
            refs["first_release_id"] = first
            proof = entry(call, PERMITTED, clause=CLAUSE, refs=references(release) | refs)
            line = left(release, outcome, now, fields, first)
            store_ledger.record_left(connection, line, proof)
        return disclosure_pb2.ReleaseDeliveryResponse(
            release_id=release.release_id,
            details=wire.details(release, read.data),
            release_time=wire.timestamp(now),
        )


def _attempt(delivery: Delivery, recipient_id: str, now: datetime) -> Release:
    return Release(
        site_id=delivery.site_id,
        release_id=new_uuid(),
        subject_id=delivery.subject_id,
        order_id=delivery.order_id,
        delivery_id=delivery.delivery_id,
        recipient_id=recipient_id,
        kind=delivery.kind,
        prepare_time=now,
    )


def _refusal(
    call: Call, release: Release, against: Denial, now: datetime
) -> tuple[Disclosure, Entry]:
    proof = entry(
        call,
        REFUSED,
        clause=against.clause,
        reason=against.reason,
        refs=references(release) | {"release_id": release.release_id},
    )
    return refused(release, against, now), proof
