# SPDX-License-Identifier: Apache-2.0
"""Slices, schedules and data between messages and the domain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.configured_fields import CONFIGURED
from services.vault.address import Address
from services.vault.fields import AnyField, ConfiguredField, Field
from services.vault.order_documents import SealedMessage
from services.vault.policy_schedule import PolicySchedule, PolicyTerm
from services.vault.standing import (
    Acceptance,
    Assignment,
    Block,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    Ground,
    HoldKind,
    LegalHold,
    Link,
    OpenOrder,
    OrderStanding,
    OrderState,
    Origin,
    Outcome,
    RecipientKind,
)

_Purpose = subject_pb2.Purpose.Code
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(message: object, name: str) -> datetime | None:
    """A timestamp field as an aware UTC time; None where it is absent."""
    if not message.HasField(name):  # type: ignore[attr-defined]
        return None
    stamp: Timestamp = getattr(message, name)
    return _EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1000)


def stamp_of(instant: datetime | None) -> Timestamp | None:
    """A time as a message; None stays None."""
    if instant is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


def _needed(message: object, name: str) -> datetime:
    return time_of(message, name) or datetime.fromtimestamp(0, UTC)


def consent_from(slice_: vault_pb2.ConsentSlice) -> ConsentStanding:
    """The consent slice of a message."""
    proposed = None
    if slice_.HasField("proposed_acceptance"):
        p = slice_.proposed_acceptance
        proposed = Acceptance(p.version, _needed(p, "time"), p.explicit, p.proposal_id)
    return ConsentStanding(
        accepted_version=slice_.accepted_version or None,
        accepted_time=time_of(slice_, "accepted_time"),
        disagreed_time=time_of(slice_, "disagreed_time"),
        consents=tuple(_fact_from(f) for f in slice_.consents),
        proposed_acceptance=proposed,
        links=tuple(
            Link(e.account_id, _needed(e, "link_time"), time_of(e, "ended_time"), e.proposal_id)
            for e in slice_.links
        ),
    )


def _fact_from(fact: vault_pb2.ConsentFact) -> ConsentFact:
    return ConsentFact(
        _Purpose.Name(fact.purpose),
        fact.policy_version,
        _needed(fact, "granted_time"),
        time_of(fact, "expires_time"),
        time_of(fact, "withdrawn_time"),
        time_of(fact, "refused_time"),
        fact.proposal_id,
    )


def consent_to(standing: ConsentStanding) -> vault_pb2.ConsentSlice:
    """A settled consent slice as a message."""
    return vault_pb2.ConsentSlice(
        accepted_version=standing.accepted_version or 0,
        accepted_time=stamp_of(standing.accepted_time),
        disagreed_time=stamp_of(standing.disagreed_time),
        consents=[
            vault_pb2.ConsentFact(
                purpose=_Purpose.Value(f.purpose),
                policy_version=f.policy_version,
                granted_time=stamp_of(f.granted_time),
                expires_time=stamp_of(f.expires_time),
                withdrawn_time=stamp_of(f.withdrawn_time),
                refused_time=stamp_of(f.refused_time),
                proposal_id=f.proposal_id,
            )
            for f in standing.consents
        ],
        links=[
            vault_pb2.LinkFact(
                account_id=e.account_id,
                link_time=stamp_of(e.link_time),
                ended_time=stamp_of(e.ended_time),
                proposal_id=e.proposal_id,
            )
            for e in standing.links
        ],
    )


def claims_from(slice_: vault_pb2.ClaimsSlice) -> ClaimsStanding:
    """The claims slice of a message."""
    message = vault_pb2.Block
    return ClaimsStanding(
        blocks=tuple(
            Block(
                b.claim_id,
                _needed(b, "since_time"),
                Ground(message.Ground.Name(b.ground)),
                Origin(message.Origin.Name(b.origin)),
                Outcome(message.Outcome.Name(b.outcome)) if b.outcome else None,
                b.correction_id or None,
                _needed(b, "recorded_time"),
            )
            for b in slice_.blocks
        ),
        holds=tuple(
            LegalHold(
                h.hold_id,
                h.claim_id or None,
                HoldKind(vault_pb2.LegalHold.Kind.Name(h.kind)),
                _needed(h, "since_time"),
                time_of(h, "ended_time"),
            )
            for h in slice_.holds
        ),
    )


def claims_to(standing: ClaimsStanding) -> vault_pb2.ClaimsSlice:
    """A claims slice as a message."""
    message = vault_pb2.Block
    return vault_pb2.ClaimsSlice(
        blocks=[
            message(
                claim_id=b.claim_id,
                since_time=stamp_of(b.since),
                recorded_time=stamp_of(b.recorded_time),
                ground=message.Ground.Value(b.ground),
                origin=message.Origin.Value(b.origin),
                outcome=message.Outcome.Value(b.outcome or "OUTCOME_UNSPECIFIED"),
                correction_id=b.correction_id or "",
            )
            for b in standing.blocks
        ],
        holds=[
            vault_pb2.LegalHold(
                hold_id=h.hold_id,
                claim_id=h.claim_id or "",
                kind=vault_pb2.LegalHold.Kind.Value(h.kind),
                since_time=stamp_of(h.since),
                ended_time=stamp_of(h.ended_time),
            )
            for h in standing.holds
        ],
    )


def orders_from(slice_: vault_pb2.OrderSlice) -> OrderStanding:
    """The order slice of a message."""
    kinds = vault_pb2.Assignment.RecipientKind
    return OrderStanding(
        tuple(
            OpenOrder(
                o.order_id,
                _needed(o, "placed_time"),
                o.policy_version,
                OrderState.OPEN if o.open else OrderState.CLOSED,
                o.proposal_id,
                tuple(
                    Assignment(
                        a.delivery_id,
                        a.recipient_id,
                        RecipientKind(kinds.Name(a.recipient_kind)),
                        time_of(a, "expires_time"),
                        time_of(a, "ended_time"),
                    )
                    for a in o.assignments
                ),
                time_of(o, "closed_time"),
                o.snapshot,
            )
            for o in slice_.orders
        )
    )


def messages_from(slice_: vault_pb2.OrderSlice) -> tuple[SealedMessage, ...]:
    """The texts that came sealed with the orders of a slice."""
    return tuple(
        SealedMessage(o.order_id, o.message.document_id, o.message.sealing_key_id, o.message.sealed)
        for o in slice_.orders
        if o.HasField("message")
    )


def orders_to(standing: OrderStanding) -> vault_pb2.OrderSlice:
    """An order slice as a message."""
    kinds = vault_pb2.Assignment.RecipientKind
    return vault_pb2.OrderSlice(
        orders=[
            vault_pb2.OrderFact(
                order_id=o.order_id,
                placed_time=stamp_of(o.placed_time),
                policy_version=o.policy_version,
                open=o.state is OrderState.OPEN,
                proposal_id=o.proposal_id,
                snapshot=o.snapshot,
                assignments=[
                    vault_pb2.Assignment(
                        delivery_id=a.delivery_id,
                        recipient_id=a.recipient_id,
                        recipient_kind=kinds.Value(a.recipient_kind),
                        expires_time=stamp_of(a.expires_time),
                        ended_time=stamp_of(a.ended_time),
                    )
                    for a in o.assignments
                ],
                closed_time=stamp_of(o.closed_time),
            )
            for o in standing.orders
        ]
    )


def schedule_from(schedule: vault_pb2.PolicySchedule) -> PolicySchedule:
    """The policy schedule of a message."""
    return PolicySchedule(
        tuple(
            PolicyTerm(
                t.version,
                _needed(t, "effective_time"),
                frozenset(_Purpose.Name(p) for p in t.material_purposes),
            )
            for t in schedule.terms
        )
    )


def data_to(values: Mapping[AnyField, str | Address]) -> subject_pb2.PersonalData:
    """Data in the clear as a message."""
    message = subject_pb2.PersonalData()
    for field, value in values.items():
        if isinstance(field, ConfiguredField):
            message.configured[field.partition(".")[2]] = str(value)
        elif isinstance(value, str):
            setattr(message, _SNAKE[field], value)
        else:
            address = message.address
            for part, text in value.items():
                setattr(address, _ADDRESS_SNAKE[str(part)], text)
    return message


def change_from(data: subject_pb2.PersonalData, mask: FieldMask) -> dict[str, object]:
    """A merge patch by JSON names: set data, and None for what the mask names but data lack.

    Without a mask, what is set is what changes.
    """
    change: dict[str, object] = {}
    for field, value in data.ListFields():
        if field.name == "address":
            change["address"] = {f.json_name: text for f, text in value.ListFields()}
        elif field.name == CONFIGURED:
            change[CONFIGURED] = dict(value)
        else:
            change[field.json_name] = value
    for path in mask.paths:
        name, _, part = path.partition(".")
        if not part:
            change.setdefault(name, None)
        elif name in ("address", CONFIGURED):
            parts = change.setdefault(name, {})
            if isinstance(parts, dict):
                parts.setdefault(part, None)
        else:
            change.setdefault(path, None)
    return change


_SNAKE = {
    Field(f.json_name): f.name
    for f in subject_pb2.PersonalData.DESCRIPTOR.fields
    if f.name != CONFIGURED
}
_ADDRESS_SNAKE = {f.json_name: f.name for f in subject_pb2.Address.DESCRIPTOR.fields}
