# SPDX-License-Identifier: Apache-2.0
"""An attempt to release on its way through the broker, and how it is recorded where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from qupia.disclosure.v1 import disclosure_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.refusal import BudgetExhausted, Refusal, refusal_of
from services.disclosure import store_ledger
from services.disclosure.ledger import references, refused
from services.disclosure.order import Delivery
from services.disclosure.permission import RULES_VERSION, Denial
from services.disclosure.release import CLAUSE, Release
from services.disclosure.servicer_acts import PERMITTED, REFUSED, entry
from services.disclosure.store_releases import Left

Released = disclosure_pb2.ReleaseDeliveryResponse


@dataclass(frozen=True, slots=True)
class Attempt:
    """A recipient asks for one delivery; `single`: the call asks for no other.

    The Idempotency-Key of a single call only guards against another request
    under it: whoever comes again is decided on again.
    """

    call: Call
    delivery_id: str
    single: bool = True


class Turned(Exception):
    """An attempt ended in a refusal; `reference` is what support finds its cause by."""

    def __init__(self, refusal: Refusal, reference: str = "") -> None:
        self.refusal = refusal
        self.reference = reference
        super().__init__(refusal.reason)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An attempt that the broker has nothing against; its release is PREPARED."""

    attempt: Attempt
    release: Release


@dataclass(frozen=True, slots=True)
class Answered:
    """What the vault answered for a prepared release."""

    prepared: Prepared
    outcome: vault_pb2.ReleaseOutcome

    @property
    def release(self) -> Release:
        """The release."""
        return self.prepared.release

    @property
    def key(self) -> tuple[str, str]:
        """(site, delivery)"""
        return (self.release.site_id, self.release.delivery_id)

    @property
    def given(self) -> bool:
        """Whether the vault gave the data out."""
        return bool(self.outcome.read.entry_id)


def attempted(
    attempt: Attempt, release_id: str, delivery: Delivery, *, counted: bool, now: datetime
) -> Release:
    """The release that an attempt makes."""
    return Release(
        site_id=delivery.site_id,
        release_id=release_id,
        subject_id=delivery.subject_id,
        order_id=delivery.order_id,
        delivery_id=delivery.delivery_id,
        recipient_id=attempt.call.principal.recipient_id,
        kind=delivery.kind,
        prepare_time=now,
        counted=counted,
    )


def record_unknown(
    connection: Connection,
    refusals: RefusalLog,
    attempt: Attempt,
    against: Denial,
    now: datetime,
) -> Turned:
    """Record a refusal for a delivery that never was; it stands in nobody's ledger."""
    recipient_id = attempt.call.principal.recipient_id
    refs = {"delivery_id": attempt.delivery_id, "recipient_id": recipient_id}
    try:
        reference = refusals.record(connection, _proof(attempt.call, against, refs), now)
    except BudgetExhausted as exhausted:
        return Turned(exhausted)
    return Turned(refusal_of(against.reason, against.clause), reference)


def record_refusal(
    connection: Connection,
    refusals: RefusalLog,
    attempt: Attempt,
    release: Release,
    against: Denial,
    now: datetime,
) -> Turned:
    """Record a refusal in evidence and in the person's ledger."""
    refs = references(release) | {"release_id": release.release_id}
    proof = _proof(attempt.call, against, refs)
    line = refused(release, against, now)
    try:
        reference = store_ledger.record_refusal(connection, refusals, line, proof)
    except BudgetExhausted as exhausted:
        return Turned(exhausted)
    return Turned(refusal_of(against.reason, against.clause), reference)


def permit(call: Call, way: Left, digest: str, subject: str) -> Entry:
    """The evidence of what leaves; `digest` is of the details, as the receipt has it.

    `subject` is the subject's pseudonym, empty where it has none yet.
    """
    refs = references(way.release) | {
        "release_id": way.release.release_id,
        "entry_id": way.entry_id,
        "first_release_id": way.first_release_id,
    }
    return entry(
        call,
        PERMITTED,
        subject=subject,
        clause=CLAUSE,
        refs=refs,
        decided_on={"rulesVersion": RULES_VERSION},
        digests={"details": digest},
    )


def _proof(call: Call, against: Denial, refs: dict[str, str]) -> Entry:
    decided_on: dict[str, object] = {"rulesVersion": RULES_VERSION}
    if against.rule:
        decided_on["rule"] = against.rule
    return entry(
        call,
        REFUSED,
        clause=against.clause,
        reason=against.reason,
        refs=refs,
        decided_on=decided_on,
    )
