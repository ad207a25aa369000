# SPDX-License-Identifier: Apache-2.0
"""Handlers of the releases: one delivery, or a recipient's whole morning (clauses 3.4, 5.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain
from typing import cast

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2, manifest_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import veiled
from services.chassis.refusal import DeadlineExceeded, Internal, PermissionDenied, Refusal
from services.chassis.side_by_side import SideBySide
from services.chassis.together import Together
from services.disclosure import store_deliveries, store_recipients
from services.disclosure.servicer_attempt import Attempt, Released, Turned
from services.disclosure.servicer_releasing import Releasing

_VAULT_SECONDS = 2.0
_ANSWER_SECONDS = 0.5
_MOST = 1000
# So many deliveries share two transactions: short enough that nobody waits long for their locks.
_CHUNK = 200
# While the vault or the disk is waited for in one chunk, others are worked on.
_AT_ONCE = 5
_THREADS = 6


class ReleaseServicer:
    """Releases deliveries."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: IdempotencyKeys,
        tokens: PageTokens,
        releasing: Releasing,
        single: Together[Attempt, Released],
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._tokens = tokens
        self._releasing = releasing
        self._single = single
        self._side_by_side = SideBySide(_THREADS, beside=_AT_ONCE - 1)

    def release_delivery(self, call: Call) -> disclosure_pb2.ReleaseDeliveryResponse:
        """Release to the recipient the delivery is assigned to; a repeat decides again.

        Raises the true refusal, which the pipeline veils; Unavailable where it
        is not known what the vault did.
        """
        request = cast(disclosure_pb2.ReleaseDeliveryRequest, call.request)
        _require_recipient(call)
        _vault_seconds(call)
        try:
            return self._single.do(Attempt(call, request.delivery_id), call.remaining())
        except Turned as turned:
            # Where it was a decision it is on record, and found by this reference.
            call.recorded = bool(turned.reference)
            call.reference = turned.reference or call.reference
            raise turned.refusal from None

    def release_manifest(self, call: Call) -> manifest_pb2.ReleaseManifestResponse:
        """Release many, a few chunks at a time, as far as the caller's time goes.

        Each delivery has its own outcome. Raises InvalidArgument for a page
        token of another manifest.
        """
        request = cast(manifest_pb2.ReleaseManifestRequest, call.request)
        _require_recipient(call)
        size = page_size(request.page_size, _MOST, _MOST)
        scope = _scope(call, request.delivery_ids)
        place = self._tokens.open(scope, request.page_token)
        with self._database.transaction() as connection:
            self._keys.begin(connection, call, new_uuid(), self._clock.now())
        asked, after = self._asked(call, request.delivery_ids, place, size)
        chunks = [asked[start : start + _CHUNK] for start in range(0, len(asked), _CHUNK)]
        released = self._side_by_side.each(
            lambda chunk: self._released(call, chunk),
            chunks,
            go_on=lambda: call.remaining() >= _VAULT_SECONDS,
        )
        answer = manifest_pb2.ReleaseManifestResponse(outcomes=chain.from_iterable(released))
        done = len(answer.outcomes)
        if done < len(asked) or after:
            answer.next_page_token = self._tokens.make(
                scope, _next(request.delivery_ids, place, asked, done)
            )
        # Every refusal among the outcomes is on record by itself.
        call.recorded = True
        return answer

    def _released(self, call: Call, chunk: Sequence[str]) -> list[manifest_pb2.ManifestOutcome]:
        attempts = [Attempt(call, each, single=False) for each in chunk]
        outcomes = self._releasing.release(attempts, _vault_seconds(call))
        return [_outcome(call, each, end) for each, end in zip(chunk, outcomes, strict=True)]

    def _asked(
        self, call: Call, named: Sequence[str], place: list[str | int] | None, size: int
    ) -> tuple[list[str], bool]:
        """The deliveries of this page, and whether there are more after it."""
        if named:
            start = int(place[0]) if place else 0
            return list(named[start : start + size]), start + size < len(named)
        site_id, recipient_id = call.principal.site_id, call.principal.recipient_id
        after = str(place[0]) if place else ""
        with self._database.transaction() as connection:
            recipient = store_recipients.find(connection, site_id, recipient_id)
            if recipient is None or not recipient.may_see(call.principal.certificate_sha256):
                return [], False
            found = store_deliveries.live_of(
                connection, site_id, recipient_id, self._clock.now(), after, size + 1
            )
        return [each.delivery_id for each in found[:size]], len(found) > size


def _next(
    named: Sequence[str], place: list[str | int] | None, asked: Sequence[str], done: int
) -> list[str | int]:
    if not named:
        return [asked[done - 1]]
    return [(int(place[0]) if place else 0) + done]


def _scope(call: Call, named: Sequence[str]) -> str:
    digest = hashlib.sha256("|".join(named).encode()).hexdigest()
    return f"manifest|{call.principal.site_id}|{call.principal.recipient_id}|{digest}"


def _outcome(
    call: Call, delivery_id: str, outcome: Released | Exception
) -> manifest_pb2.ManifestOutcome:
    message = manifest_pb2.ManifestOutcome(delivery_id=delivery_id)
    if isinstance(outcome, Released):
        message.released.CopyFrom(outcome)
        return message
    turned = outcome if isinstance(outcome, Turned) else Turned(_refusal(outcome))
    refusal = veiled(call.method, turned.refusal)
    message.problem.code = contract_pb2.Refusal.Reason.Value(refusal.reason)
    message.problem.reference = turned.reference or call.reference
    return message


def _refusal(error: Exception) -> Refusal:
    return error if isinstance(error, Refusal) else Internal()


def _require_recipient(call: Call) -> None:
    if not call.principal.recipient_id:
        raise PermissionDenied


def _vault_seconds(call: Call) -> float:
    """How long the vault may take, so that there is time to answer. Raises DeadlineExceeded."""
    seconds = min(_VAULT_SECONDS, call.remaining() - _ANSWER_SECONDS)
    if seconds <= 0:
        raise DeadlineExceeded
    return seconds
