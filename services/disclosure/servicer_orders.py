# SPDX-License-Identifier: Apache-2.0
"""Handlers of the orders (clause 5.2)."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from qupia.disclosure.v1 import disclosure_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.decider import store as decider
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.refusal import (
    AlreadyExists,
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
    NotFound,
    RecipientNotPermitted,
    StateConflict,
)
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import seal_document
from services.disclosure import (
    store_deliveries,
    store_orders,
    store_recipients,
    store_releases,
    wire,
)
from services.disclosure.order import (
    FETCH_LIMIT,
    MOST_FETCHES,
    Closing,
    Delivery,
    Order,
    OrderState,
    SealedMessage,
)
from services.disclosure.recipient import Recipient, RecipientState, Validity
from services.disclosure.servicer_acts import DONE, Acts, entry, stood

# The vault names it when it lets the order be placed.
_VERSION_UNKNOWN = 0
_MESSAGE = "MESSAGE_TEXT"


class OrderServicer:
    """Registers, assigns, closes and shows orders."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: IdempotencyKeys,
        acts: Acts,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._acts = acts

    def register_order(self, call: Call) -> disclosure_pb2.RegisterOrderResponse:
        """Propose an order. Raises AlreadyExists, or what the vault refused it for.

        An unknown subject and another site's are NotFound alike.
        """
        request = cast(disclosure_pb2.RegisterOrderRequest, call.request)
        asked, site_id, now = request.order, call.principal.site_id, self._clock.now()
        key, registration_id = store_orders.key_of(site_id, asked.subject_id), new_uuid()
        with self._database.transaction() as connection:
            stands = self._keys.begin(connection, call, registration_id, now)
            if stands == registration_id:
                counter = decider.next_counter(connection, key)
                act = decider.record_act(
                    connection, key, counter, call.method.evidence, proposal=True, now=now
                )
                message = _sealed(connection, site_id, asked) if asked.message_text else None
                order = _proposed(site_id, registration_id, asked, act.act_id, message, now)
                if not store_orders.add(connection, order):
                    raise AlreadyExists
                proof = entry(call, DONE, refs={"order_id": order.order_id})
                if not store_orders.record(connection, act, proof, wire.slice_bytes, now):
                    raise StateConflict
        self._acts.push(call, key)
        with self._database.transaction() as connection:
            order = store_orders.registration(connection, site_id, stands)
            act = stood(decider.read_act(connection, order.act_id, site_id))
        return disclosure_pb2.RegisterOrderResponse(
            order=wire.order_message(order),
            act_id=act.act_id,
            enforcement=wire.enforcement(act),
        )

    def assign_order(self, call: Call) -> disclosure_pb2.AssignOrderResponse:
        """Assign an open order; an earlier assignment of the same kind ends with it.

        Raises NotFound for an absent order or a recipient that is not active,
        RecipientNotPermitted for one whose agreement has lapsed, StateConflict
        for an order that is not open.
        """
        request = cast(disclosure_pb2.AssignOrderRequest, call.request)
        site_id, now = call.principal.site_id, self._clock.now()
        expire_time, limit = _expire_time(request), _fetch_limit(request)
        with self._database.transaction() as connection:
            if expire_time is not None and expire_time <= now:
                self._refuse_unless_repeated(connection, call)
            known = store_orders.find(connection, site_id, request.order_id)
            if known is None:
                raise NotFound
            key = store_orders.key_of(site_id, known.subject_id)
            counter = decider.next_counter(connection, key)
            order = store_orders.registration(connection, site_id, known.registration_id)
            assigned = store_deliveries.by_order(connection, site_id, [order.registration_id])
            same = _same(assigned.get(order.registration_id, []), request, expire_time, limit, now)
            delivery_id = same.delivery_id if same else new_uuid()
            stands = self._keys.begin(connection, call, delivery_id, now)
            if stands == delivery_id and same is None:
                recipient = _assignable(
                    order, store_recipients.find(connection, site_id, request.recipient_id), now
                )
                act = decider.record_act(
                    connection, key, counter, call.method.evidence, proposal=False, now=now
                )
                delivery = _delivery(
                    delivery_id, order, recipient, act.act_id, now, expire_time, limit
                )
                store_deliveries.assign(connection, order, delivery)
                refs = {"order_id": order.order_id, "delivery_id": delivery_id}
                refs["recipient_id"] = request.recipient_id
                proof = entry(call, DONE, refs=refs)
                if not store_orders.record(connection, act, proof, wire.slice_bytes, now):
                    raise StateConflict
        return self._assigned(call, stands)

    def _refuse_unless_repeated(self, connection: Connection, call: Call) -> None:
        """The time of a repeat was still to come when it was first asked for."""
        if self._keys.standing(connection, call) is None:
            fault = FieldViolation("expireTime", "future", "a time to come")
            raise InvalidArgument(fields=[fault])

    def close_order(self, call: Call) -> disclosure_pb2.CloseOrderResponse:
        """Close an order that is open or proposed; one that is closed stays as it is.

        Raises NotFound, StateConflict for an order that was never open.
        """
        request = cast(disclosure_pb2.CloseOrderRequest, call.request)
        site_id, now, change_id = call.principal.site_id, self._clock.now(), new_uuid()
        with self._database.transaction() as connection:
            known = store_orders.find(connection, site_id, request.order_id)
            if known is None:
                raise NotFound
            key = store_orders.key_of(site_id, known.subject_id)
            counter = decider.next_counter(connection, key)
            order = store_orders.registration(connection, site_id, known.registration_id)
            self._keys.begin(connection, call, change_id, now)
            if not order.close_act_id:
                if order.state is OrderState.REFUSED:
                    raise StateConflict
                act = decider.record_act(
                    connection, key, counter, call.method.evidence, proposal=False, now=now
                )
                store_orders.close(connection, order, _closing(request), act.act_id, now)
                proof = entry(call, DONE, refs={"order_id": order.order_id})
                # A restricting act is never refused, however full the slice is.
                store_orders.record(connection, act, proof, wire.slice_bytes, now)
        self._acts.push(call, key)
        with self._database.transaction() as connection:
            order = store_orders.registration(connection, site_id, known.registration_id)
            act = stood(decider.read_act(connection, order.close_act_id, site_id))
        return disclosure_pb2.CloseOrderResponse(
            order=wire.order_message(order),
            act_id=act.act_id,
            enforcement=wire.enforcement(act),
        )

    def get_order(self, call: Call) -> disclosure_pb2.GetOrderResponse:
        """An order of the site with all its deliveries. Raises NotFound."""
        request = cast(disclosure_pb2.GetOrderRequest, call.request)
        site_id, now = call.principal.site_id, self._clock.now()
        with self._database.transaction() as connection:
            order = store_orders.find(connection, site_id, request.order_id)
            if order is None:
                raise NotFound
            assigned = store_deliveries.by_order(connection, site_id, [order.registration_id])
            found = assigned.get(order.registration_id, [])
            fetches = store_releases.fetches(connection, site_id, [d.delivery_id for d in found])
        return disclosure_pb2.GetOrderResponse(
            order=wire.order_message(order),
            deliveries=[
                wire.delivery_message(d, now, fetches.get(d.delivery_id, 0)) for d in found
            ],
        )

    def _assigned(self, call: Call, delivery_id: str) -> disclosure_pb2.AssignOrderResponse:
        site_id = call.principal.site_id
        with self._database.transaction() as connection:
            delivery = store_deliveries.find(connection, site_id, delivery_id)
        if delivery is None:
            raise NotFound
        self._acts.push(call, store_orders.key_of(site_id, delivery.subject_id))
        with self._database.transaction() as connection:
            act = stood(decider.read_act(connection, delivery.act_id, site_id))
        return disclosure_pb2.AssignOrderResponse(
            delivery=wire.delivery_message(delivery, self._clock.now()),
            act_id=act.act_id,
            enforcement=wire.enforcement(act),
        )


def _sealed(connection: Connection, site_id: str, asked: disclosure_pb2.Order) -> SealedMessage:
    """The message for the vault alone. Raises KeyUnavailable before the vault was ever met."""
    key = sealed_store.current_key(connection)
    if key is None:
        raise KeyUnavailable(retry_after=1)
    place = (asked.order_id, new_uuid(), _MESSAGE)
    plaintext = asked.message_text.encode()
    document = seal_document(key, site_id, asked.subject_id, place, plaintext)
    return SealedMessage(document.document_id, document.key_id, document.sealed)


def _proposed(
    site_id: str,
    registration_id: str,
    asked: disclosure_pb2.Order,
    act_id: str,
    message: SealedMessage | None,
    now: datetime,
) -> Order:
    return Order(
        site_id=site_id,
        registration_id=registration_id,
        order_id=asked.order_id,
        subject_id=asked.subject_id,
        policy_version=_VERSION_UNKNOWN,
        state=OrderState.PENDING,
        register_time=now,
        act_id=act_id,
        snapshot=asked.delivery_address == disclosure_pb2.Order.SNAPSHOT,
        message=message,
    )


def _delivery(
    delivery_id: str,
    order: Order,
    recipient: Recipient,
    act_id: str,
    now: datetime,
    expire_time: datetime | None,
    fetch_limit: int,
) -> Delivery:
    return Delivery(
        site_id=order.site_id,
        delivery_id=delivery_id,
        registration_id=order.registration_id,
        order_id=order.order_id,
        subject_id=order.subject_id,
        recipient_id=recipient.recipient_id,
        kind=recipient.kind,
        assign_time=now,
        act_id=act_id,
        expire_time=expire_time,
        fetch_limit=fetch_limit,
    )


def _fetch_limit(request: disclosure_pb2.AssignOrderRequest) -> int:
    if not request.HasField("fetch_limit"):
        return FETCH_LIMIT
    if not 0 < request.fetch_limit <= MOST_FETCHES:
        wrong = FieldViolation("fetchLimit", "range", f"from 1 to {MOST_FETCHES}")
        raise InvalidArgument(fields=[wrong])
    return request.fetch_limit


def _expire_time(request: disclosure_pb2.AssignOrderRequest) -> datetime | None:
    return wire.instant(request.expire_time) if request.HasField("expire_time") else None


def _same(
    assigned: list[Delivery],
    request: disclosure_pb2.AssignOrderRequest,
    expire_time: datetime | None,
    fetch_limit: int,
    now: datetime,
) -> Delivery | None:
    """The live delivery that the request asks for once more."""
    asked = (request.recipient_id, expire_time, fetch_limit)
    for delivery in assigned:
        made = (delivery.recipient_id, delivery.expire_time, delivery.fetch_limit)
        if made == asked and delivery.live(now):
            return delivery
    return None


def _assignable(order: Order, recipient: Recipient | None, now: datetime) -> Recipient:
    if recipient is None or recipient.state is not RecipientState.ACTIVE:
        raise NotFound
    if recipient.terms.validity(now) is Validity.LAPSED:
        raise RecipientNotPermitted("5.2")
    if order.state is not OrderState.OPEN:
        raise StateConflict
    return recipient


def _closing(request: disclosure_pb2.CloseOrderRequest) -> Closing:
    if not request.closing:
        return Closing.DELIVERED
    return Closing(disclosure_pb2.Order.Closing.Name(request.closing))
