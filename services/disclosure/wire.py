# SPDX-License-Identifier: Apache-2.0
"""Between the broker's own words and the messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.decider.store import Act
from services.disclosure.ledger import Disclosure
from services.disclosure.order import Delivery, Order, OrderFacts, OrderState
from services.disclosure.recipient import Kind, Recipient
from services.disclosure.release import FIELDS, Release, parcel_name


def timestamp(instant: datetime | None) -> Timestamp | None:
    """A message field's value; absent for None."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def instant(message: Timestamp) -> datetime:
    """The aware UTC instant of a message, in microseconds."""
    return message.ToDatetime(tzinfo=UTC)


def recipient_message(recipient: Recipient) -> disclosure_pb2.Recipient:
    """A recipient as callers see it."""
    return disclosure_pb2.Recipient(
        recipient_id=recipient.recipient_id,
        kind=disclosure_pb2.Recipient.Kind.Value(recipient.kind),
        legal_name=recipient.legal_name,
        bin=recipient.bin,
        agreement=recipient.agreement,
        state=disclosure_pb2.Recipient.State.Value(recipient.state),
        register_time=timestamp(recipient.register_time),
    )


def order_message(order: Order) -> disclosure_pb2.Order:
    """An order as its storefront sees it."""
    message = disclosure_pb2.Order(
        order_id=order.order_id,
        subject_id=order.subject_id,
        state=disclosure_pb2.Order.State.Value(order.state),
        register_time=timestamp(order.register_time),
        close_time=timestamp(order.close_time),
    )
    if order.closing is not None:
        message.closing = disclosure_pb2.Order.Closing.Value(order.closing)
    return message


def delivery_message(delivery: Delivery, now: datetime) -> disclosure_pb2.Delivery:
    """A delivery at `now`; it has no personal data."""
    states = disclosure_pb2.Delivery
    return disclosure_pb2.Delivery(
        delivery_id=delivery.delivery_id,
        order_id=delivery.order_id,
        recipient_id=delivery.recipient_id,
        recipient_kind=disclosure_pb2.Recipient.Kind.Value(delivery.kind),
        state=states.ASSIGNED if delivery.live(now) else states.ENDED,
        assign_time=timestamp(delivery.assign_time),
        expire_time=timestamp(delivery.expire_time),
    )


def disclosure_message(line: Disclosure) -> disclosure_pb2.Disclosure:
    """A line of the person's ledger."""
    message = disclosure_pb2.Disclosure(
        disclosure_id=line.disclosure_id,
        outcome=disclosure_pb2.Disclosure.Outcome.Value(line.outcome),
        clause=line.clause,
        recipient_id=line.recipient_id,
        recipient_name=line.recipient_name,
        order_id=line.order_id,
        delivery_id=line.delivery_id,
        fields=line.fields,
        disclose_time=timestamp(line.disclose_time),
        count=line.count,
        first_disclosure_id=line.first_disclosure_id,
    )
    if line.reason:
        message.reason = contract_pb2.Refusal.Reason.Value(line.reason)
    if line.recipient_kind is not None:
        message.recipient_kind = disclosure_pb2.Recipient.Kind.Value(line.recipient_kind)
    return message


def act_message(act: Act) -> subject_pb2.Act:
    """An act and how far it has come."""
    message = subject_pb2.Act(
        act_id=act.act_id,
        kind=act.kind,
        enforcement=enforcement(act),
        recorded_time=timestamp(act.record_time),
        in_force_time=timestamp(act.in_force_time),
    )
    if act.reason:
        message.reason = contract_pb2.Refusal.Reason.Value(act.reason)
    return message


def enforcement(act: Act) -> subject_pb2.Enforcement.State.ValueType:
    """How far an act has come."""
    return subject_pb2.Enforcement.State.Value(act.enforcement)


def slice_bytes(facts: Sequence[OrderFacts]) -> bytes:
    """The canonical bytes of a subject's slice."""
    slice_ = vault_pb2.OrderSlice(orders=[_order_fact(fact) for fact in facts])
    return slice_.SerializeToString(deterministic=True)


def _order_fact(fact: OrderFacts) -> vault_pb2.OrderFact:
    order = fact.order
    return vault_pb2.OrderFact(
        order_id=order.order_id,
        placed_time=timestamp(order.register_time),
        open=order.state in (OrderState.PENDING, OrderState.OPEN),
        proposal_id=order.act_id,
        policy_version=order.policy_version,
        closed_time=timestamp(order.close_time),
        assignments=[
            vault_pb2.Assignment(
                delivery_id=delivery.delivery_id,
                recipient_id=delivery.recipient_id,
                recipient_kind=vault_pb2.Assignment.RecipientKind.Value(delivery.kind),
                expires_time=timestamp(delivery.expire_time),
                ended_time=timestamp(delivery.ended_time),
            )
            for delivery in fact.deliveries
        ],
    )


def release_item(release: Release) -> vault_pb2.ReleaseItem:
    """What the vault is asked for a prepared release."""
    return vault_pb2.ReleaseItem(
        site_id=release.site_id,
        subject_id=release.subject_id,
        release_id=release.release_id,
        order_id=release.order_id,
        delivery_id=release.delivery_id,
        recipient_id=release.recipient_id,
    )


def released_fields(kind: Kind, read: vault_pb2.ReleaseRead) -> tuple[str, ...]:
    """The names of the data that leave the house: what the vault gave, within the kind's set."""
    return tuple(name for name in read.fields if name in FIELDS[kind])


def details(release: Release, data: subject_pb2.PersonalData) -> disclosure_pb2.DeliveryDetails:
    """What leaves the house: the fields of the recipient's kind, whatever the vault gave."""
    permitted = FIELDS[release.kind]
    message = disclosure_pb2.DeliveryDetails(order_id=release.order_id)
    if "familyName" in permitted:
        name = parcel_name(data.family_name, data.given_name, data.patronymic)
        if name:
            message.name = name
    if "phone" in permitted and data.HasField("phone"):
        message.phone = data.phone
    if "address" in permitted and data.HasField("address"):
        message.address.CopyFrom(data.address)
    return message
