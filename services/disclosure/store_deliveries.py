# SPDX-License-Identifier: Apache-2.0
"""SQL of the deliveries: who is to deliver which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from services.disclosure.order import Delivery, Order
from services.disclosure.recipient import Kind
from services.disclosure.tables import deliveries


def assign(connection: Connection, order: Order, delivery: Delivery) -> None:
    """Write a new delivery in the place of the order's earlier one of that kind: a clean cut."""
    end(connection, order, delivery.kind, delivery.assign_time)
    connection.execute(
        insert(deliveries).values(
            site_id=delivery.site_id,
            delivery_id=delivery.delivery_id,
            registration_id=delivery.registration_id,
            order_id=delivery.order_id,
            subject_id=delivery.subject_id,
            recipient_id=delivery.recipient_id,
            kind=delivery.kind,
            assign_time=delivery.assign_time,
            act_id=delivery.act_id,
            expire_time=delivery.expire_time,
            ended_time=delivery.ended_time,
            fetch_limit=delivery.fetch_limit,
        )
    )


def find(connection: Connection, site_id: str, delivery_id: str) -> Delivery | None:
    """A delivery of the site."""
    statement = select(deliveries).filter_by(site_id=site_id, delivery_id=delivery_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else delivery_of(row)


def by_order(
    connection: Connection, site_id: str, registrations: Sequence[str]
) -> Mapping[str, list[Delivery]]:
    """All deliveries of some orders, by registration, in the order of assigning."""
    found: defaultdict[str, list[Delivery]] = defaultdict(list)
    if not registrations:
        return found
    rows = connection.execute(
        select(deliveries)
        .filter_by(site_id=site_id)
        .where(deliveries.c.registration_id.in_(registrations))
        .order_by(deliveries.c.registration_id, deliveries.c.delivery_id)
    )
    for row in rows:
        found[row.registration_id].append(delivery_of(row))
    return found


def end(connection: Connection, order: Order, kind: Kind | None, now: datetime) -> None:
    """End the assignments of an order, of one kind only where `kind` is given."""
    statement = (
        update(deliveries)
        .filter_by(site_id=order.site_id, registration_id=order.registration_id)
        .where(deliveries.c.ended_time.is_(None))
    )
    if kind is not None:
        statement = statement.filter_by(kind=kind)
    connection.execute(statement.values(ended_time=now))


def live_of(
    connection: Connection, site_id: str, recipient_id: str, now: datetime, after: str, limit: int
) -> list[Delivery]:
    """A recipient's live deliveries in the order of assigning, after the id `after`."""
    rows = connection.execute(
        select(deliveries)
        .filter_by(site_id=site_id, recipient_id=recipient_id)
        .where(
            deliveries.c.ended_time.is_(None),
            deliveries.c.expire_time.is_(None) | (deliveries.c.expire_time > now),
            deliveries.c.delivery_id > after,
        )
        .order_by(deliveries.c.delivery_id)
        .limit(limit)
    )
    return [delivery_of(row) for row in rows]


def delivery_of(row: Row[Any]) -> Delivery:
    """The delivery of a row that has all its columns."""
    return Delivery(
        site_id=row.site_id,
        delivery_id=row.delivery_id,
        registration_id=row.registration_id,
        order_id=row.order_id,
        subject_id=row.subject_id,
        recipient_id=row.recipient_id,
        kind=Kind(row.kind),
        assign_time=row.assign_time,
        act_id=row.act_id,
        expire_time=row.expire_time,
        ended_time=row.ended_time,
        fetch_limit=row.fetch_limit,
    )
