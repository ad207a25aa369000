# SPDX-License-Identifier: Apache-2.0
"""SQL of the orders, and what follows for them when the vault has answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis import evidence
from services.chassis.decider import store as decider
from services.chassis.decider.store import Act, Key
from services.chassis.evidence import Entry
from services.chassis.pseudonym import pseudonym_of
from services.disclosure import store_deliveries
from services.disclosure.order import (
    CLOSED_KEPT,
    Closing,
    Order,
    OrderFacts,
    OrderState,
    SealedMessage,
    overfull,
    sliced,
)
from services.disclosure.tables import orders

TOPIC = "orders"
REGISTERED = "order.registered"
Compose = Callable[[Sequence[OrderFacts]], bytes]
"""Makes the canonical bytes of a slice."""


def key_of(site_id: str, subject_id: str) -> Key:
    """The subject's slice of orders."""
    return Key(TOPIC, site_id, subject_id)


def add(connection: Connection, order: Order) -> bool:
    """Write a new order; False where its id stands for another one that was not refused."""
    statement = upsert(orders).values(
        site_id=order.site_id,
        registration_id=order.registration_id,
        order_id=order.order_id,
        subject_id=order.subject_id,
        policy_version=order.policy_version,
        state=order.state,
        register_time=order.register_time,
        act_id=order.act_id,
        closing=order.closing,
        close_time=order.close_time,
        close_act_id=order.close_act_id,
        snapshot=order.snapshot,
        message_id=order.message.document_id if order.message else "",
        sealing_key_id=order.message.key_id if order.message else "",
        sealed_message=order.message.sealed if order.message else None,
    )
    statement = statement.on_conflict_do_nothing(
        index_elements=["site_id", "order_id"],
        # Written out: with a parameter, a prepared statement finds no index.
        index_where=text("state <> 'REFUSED'"),
    )
    added = connection.execute(statement.returning(orders.c.registration_id))
    return added.one_or_none() is not None


def find(connection: Connection, site_id: str, order_id: str) -> Order | None:
    """The order of that id: the one that was not refused, or the last that was."""
    row = connection.execute(
        select(orders)
        .filter_by(site_id=site_id, order_id=order_id)
        .order_by(orders.c.state == OrderState.REFUSED, orders.c.registration_id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _order(row)


def registration(connection: Connection, site_id: str, registration_id: str) -> Order:
    """The order of one registration, which has to be there."""
    return _order(
        connection.execute(
            select(orders).filter_by(site_id=site_id, registration_id=registration_id)
        ).one()
    )


def close(
    connection: Connection, order: Order, closing: Closing, act_id: str, now: datetime
) -> None:
    """Close an order and end all its assignments."""
    connection.execute(
        update(orders)
        .filter_by(site_id=order.site_id, registration_id=order.registration_id)
        .values(
            state=OrderState.CLOSED,
            closing=closing,
            close_time=now,
            close_act_id=act_id,
            sealed_message=None,
        )
    )
    store_deliveries.end(connection, order, None, now)


def publish(
    connection: Connection, key: Key, counter: int, compose: Compose, now: datetime
) -> bool:
    """Write the subject's whole slice at its new version.

    False where the subject has more under way than a slice can tell: a
    permitting act is then to be rolled back.
    """
    facts = _facts(connection, key, now)
    decider.write_slice(connection, key, counter, compose(sliced(facts)), now)
    return not overfull(facts)


def record(connection: Connection, act: Act, entry: Entry, compose: Compose, now: datetime) -> bool:
    """Write an act's evidence and the slice that carries it; False as for `publish`.

    `entry` gets the subject's pseudonym and the act's id.
    """
    subject = pseudonym_of(connection, act.key.site_id, act.key.subject_id)
    refs = {**entry.refs, "act_id": act.act_id}
    evidence.append(connection, replace(entry, subject=subject, refs=refs), now)
    return publish(connection, act.key, act.counter, compose, now)


def settle(
    connection: Connection,
    ended: Sequence[Act],
    versions: Mapping[str, int],
    compose: Compose,
    now: datetime,
) -> None:
    """Write what follows for orders when their acts have ended.

    `versions` are the policy versions that the vault let orders be placed
    under, by the act. A slice does not tell them: it is the vault that knows.

    A refused order leaves the slice at once, so that no later push, to
    whatever vault, proposes it again.
    """
    refused: set[Key] = set()
    for act in ended:
        if act.kind != REGISTERED or act.enforcement == decider.SUPERSEDED:
            continue
        order = {"site_id": act.key.site_id, "subject_id": act.key.subject_id, "act_id": act.act_id}
        if act.enforcement == decider.IN_FORCE:
            opened = update(orders).filter_by(**order, state=OrderState.PENDING)
            version = versions.get(act.act_id, 0)
            connection.execute(opened.values(state=OrderState.OPEN, policy_version=version))
        else:
            never = {"state": OrderState.REFUSED, "sealed_message": None}
            connection.execute(update(orders).filter_by(**order).values(never))
            refused.add(act.key)
    for key in sorted(refused, key=lambda k: (k.site_id, k.subject_id)):
        publish(connection, key, decider.next_counter(connection, key), compose, now)


def _facts(connection: Connection, key: Key, now: datetime) -> list[OrderFacts]:
    rows = connection.execute(
        select(orders)
        .filter_by(site_id=key.site_id, subject_id=key.subject_id)
        .where(
            orders.c.state.in_([OrderState.PENDING, OrderState.OPEN])
            | ((orders.c.state == OrderState.CLOSED) & (orders.c.close_time >= now - CLOSED_KEPT))
        )
        .order_by(orders.c.registration_id)
    )
    known = [_order(row) for row in rows]
    assigned = store_deliveries.by_order(
        connection, key.site_id, [order.registration_id for order in known]
    )
    return [OrderFacts(o, tuple(assigned.get(o.registration_id, ()))) for o in known]


def _order(row: Row[Any]) -> Order:
    return Order(
        site_id=row.site_id,
        registration_id=row.registration_id,
        order_id=row.order_id,
        subject_id=row.subject_id,
        policy_version=row.policy_version,
        state=OrderState(row.state),
        register_time=row.register_time,
        act_id=row.act_id,
        closing=Closing(row.closing) if row.closing else None,
        close_time=row.close_time,
        close_act_id=row.close_act_id,
        snapshot=row.snapshot,
        message=(
            SealedMessage(row.message_id, row.sealing_key_id, bytes(row.sealed_message))
            if row.sealed_message is not None
            else None
        ),
    )
