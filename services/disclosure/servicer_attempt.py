# SPDX-License-Identifier: Apache-2.0
"""An attempt to release on its way through the broker, and how it is recorded where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from qupia.disclosure.v1 import disclosure_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.refusal import BudgetExhausted, Refusal, refusal_of
from services.disclosure import store_ledger
from services.disclosure.ledger import Disclosure, references
from services.disclosure.ledger import refused as refused_line
from services.disclosure.order import Delivery
from services.disclosure.permission import RULES_VERSION, Denial
from services.disclosure.receipt import Receipt
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


@dataclass(frozen=True, slots=True)
class OnRecord:
    """A release that is RELEASED on record: its data may leave, and the receipt with them."""

    release_id: str
    first_release_id: str
    details: disclosure_pb2.DeliveryDetails
    release_time: datetime
    receipt: Receipt


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


@dataclass(frozen=True, slots=True)
class Against:
    """An attempt that is refused, and why; `release` is None for a delivery that never was."""

    attempt: Attempt
    denial: Denial
    release: Release | None


def record_refusals(
    connection: Connection, refusals: RefusalLog, refused: Sequence[Against], now: datetime
) -> list[Turned]:
    """Record refusals in evidence and in the persons' ledgers, all in a few statements.

    A delivery that never was stands in nobody's ledger.
    """
    if not refused:
        return []
    noted = [(_line(each, now), _proof(each)) for each in refused]
    references_ = store_ledger.record_refusals(connection, refusals, noted, now)
    return [
        Turned(BudgetExhausted(retry_after=60))
        if reference is None
        else Turned(refusal_of(each.denial.reason, each.denial.clause), reference)
        for each, reference in zip(refused, references_, strict=True)
    ]


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


def _line(each: Against, now: datetime) -> Disclosure | None:
    return None if each.release is None else refused_line(each.release, each.denial, now)


def _proof(each: Against) -> Entry:
    call, against = each.attempt.call, each.denial
    if each.release is None:
        recipient_id = call.principal.recipient_id
        refs = {"delivery_id": each.attempt.delivery_id, "recipient_id": recipient_id}
    else:
        refs = references(each.release) | {"release_id": each.release.release_id}
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
