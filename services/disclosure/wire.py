# SPDX-License-Identifier: Apache-2.0
"""Between the broker's own words and the messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.decider.store import Act
from services.disclosure.ledger import Disclosure
from services.disclosure.order import Delivery, Order, OrderFacts, OrderState
from services.disclosure.recipient import Kind, Recipient, Terms
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
    terms = recipient.terms
    message = disclosure_pb2.Recipient(
        recipient_id=recipient.recipient_id,
        kind=disclosure_pb2.Recipient.Kind.Value(recipient.kind),
        legal_name=recipient.legal_name,
        bin=recipient.bin,
        agreement=terms.agreement,
        begin_date=_day(terms.begin_date),
        end_date=_day(terms.end_date),
        contact=terms.contact,
        certificate_sha256=terms.certificate_sha256,
        state=disclosure_pb2.Recipient.State.Value(recipient.state),
        register_time=timestamp(recipient.register_time),
    )
    if recipient.renewal is not None:
        message.renewal.CopyFrom(_terms_message(recipient.renewal))
    return message


def terms_of(message: disclosure_pb2.Recipient | disclosure_pb2.Terms) -> Terms:
    """The terms of a registration or a renewal."""
    return Terms(
        message.agreement,
        date.fromisoformat(message.begin_date) if message.begin_date else None,
        date.fromisoformat(message.end_date) if message.end_date else None,
        message.contact,
        message.certificate_sha256,
    )


def _terms_message(terms: Terms) -> disclosure_pb2.Terms:
    return disclosure_pb2.Terms(
        agreement=terms.agreement,
        begin_date=_day(terms.begin_date),
        end_date=_day(terms.end_date),
        contact=terms.contact,
        certificate_sha256=terms.certificate_sha256,
    )


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def order_message(order: Order) -> disclosure_pb2.Order:
    """An order as its storefront sees it."""
    message = disclosure_pb2.Order(
        order_id=order.order_id,
        subject_id=order.subject_id,
        state=disclosure_pb2.Order.State.Value(order.state),
        register_time=timestamp(order.register_time),
        close_time=timestamp(order.close_time),
        policy_version=order.policy_version,
        delivery_address=(
            disclosure_pb2.Order.SNAPSHOT if order.snapshot else disclosure_pb2.Order.CURRENT
        ),
    )
    if order.closing is not None:
        message.closing = disclosure_pb2.Order.Closing.Value(order.closing)
    return message


def delivery_message(
    delivery: Delivery, now: datetime, fetches: int = 0
) -> disclosure_pb2.Delivery:
    """A delivery at `now`, fetched so often; it has no personal data."""
    states = disclosure_pb2.Delivery
    return disclosure_pb2.Delivery(
        delivery_id=delivery.delivery_id,
        order_id=delivery.order_id,
        recipient_id=delivery.recipient_id,
        recipient_kind=disclosure_pb2.Recipient.Kind.Value(delivery.kind),
        state=states.ASSIGNED if delivery.live(now) else states.ENDED,
        assign_time=timestamp(delivery.assign_time),
        expire_time=timestamp(delivery.expire_time),
        fetch_limit=delivery.fetch_limit,
        fetches=fetches,
    )


def disclosure_message(line: Disclosure) -> disclosure_pb2.Disclosure:
    """A line of the person's ledger."""
    message = disclosure_pb2.Disclosure(
        disclosure_id=line.disclosure_id,
        outcome=disclosure_pb2.Disclosure.Outcome.Value(line.outcome),
        clause=line.clause,
        recipient_id=line.recipient_id,
        recipient_name=line.recipient_name,
        recipient_bin=line.recipient_bin,
        ground=disclosure_pb2.Disclosure.Ground.Value(line.ground),
        rule=line.rule,
        subject_id=line.subject_id,
        order_id=line.order_id,
        delivery_id=line.delivery_id,
        fields=line.fields,
        disclose_time=timestamp(line.disclose_time),
        count=line.count,
        first_disclosure_id=line.first_disclosure_id,
        authority_request_id=line.request_id,
        legal_act=line.legal_act,
        legal_article=line.legal_article,
    )
    if line.reason:
        message.reason = contract_pb2.Refusal.Reason.Value(line.reason)
    if line.recipient_kind:
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
    order, message = fact.order, fact.order.message
    return vault_pb2.OrderFact(
        order_id=order.order_id,
        placed_time=timestamp(order.register_time),
        open=order.state in (OrderState.PENDING, OrderState.OPEN),
        proposal_id=order.act_id,
        closed_time=timestamp(order.close_time),
        snapshot=order.snapshot,
        message=(
            vault_pb2.SealedMessage(
                document_id=message.document_id,
                sealing_key_id=message.key_id,
                sealed=message.sealed,
            )
            if message
            else None
        ),
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


def versions(receipt: vault_pb2.SliceReceipt) -> dict[str, int]:
    """The policy versions that the vault let orders be placed under, by the act."""
    return {each.proposal_id: each.policy_version for each in receipt.proposals}


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


def details(release: Release, read: vault_pb2.ReleaseRead) -> disclosure_pb2.DeliveryDetails:
    """What leaves the house: the fields of the recipient's kind, whatever the vault gave."""
    permitted, data = FIELDS[release.kind], read.data
    message = disclosure_pb2.DeliveryDetails(order_id=release.order_id)
    if "familyName" in permitted:
        name = parcel_name(data.family_name, data.given_name, data.patronymic)
        if name:
            message.name = name
    if "phone" in permitted and data.HasField("phone"):
        message.phone = data.phone
    if "address" in permitted and data.HasField("address"):
        message.address.CopyFrom(data.address)
    if "messageText" in permitted and read.HasField("message_text"):
        message.message_text = read.message_text
    return message


def details_json(message: disclosure_pb2.DeliveryDetails) -> dict[str, object]:
    """The details as the recipient reads them in JSON; members that are empty left out."""
    return {
        field.json_name: (
            {part.json_name: text for part, text in value.ListFields()}
            if field.name == "address"
            else value
        )
        for field, value in message.ListFields()
    }
