# SPDX-License-Identifier: Apache-2.0
"""SQL of what the vault has still to confirm. Functions take the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.decider.store import Key, open_proposals
from services.chassis.decider.store_life import Life, write_life
from services.chassis.decider.tables import outbox, slices
from services.chassis.slices import SliceVersion

_MOST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Push:
    """A slice as it is to be sent."""

    key: Key
    version: SliceVersion
    body: bytes
    open_proposals: tuple[str, ...]
    resync: bool


def read_push(connection: Connection, key: Key) -> Push | None:
    """The slice as it is to be sent now, or None where the vault has confirmed it."""
    row = connection.execute(
        select(slices, outbox.c.resync)
        .join(outbox, _same_key())
        .where(
            slices.c.topic == key.topic,
            slices.c.site_id == key.site_id,
            slices.c.subject_id == key.subject_id,
        )
        # Held until the proposals are read too: a verdict that is written down
        # in between would look like a settled fact of the slice.
        .with_for_update(of=slices)
    ).one_or_none()
    if row is None or row.counter == 0:
        return None
    return Push(
        key,
        SliceVersion(row.incarnation, row.counter),
        bytes(row.body),
        tuple(open_proposals(connection, key)),
        row.resync,
    )


def lock_version(connection: Connection, key: Key) -> SliceVersion:
    """The slice's present version, locked until the transaction ends."""
    row = connection.execute(
        select(slices.c.incarnation, slices.c.counter).filter_by(**key.columns).with_for_update()
    ).one()
    return SliceVersion(row.incarnation, row.counter)


def confirm(connection: Connection, key: Key, sent: SliceVersion, *, pending_left: bool) -> None:
    """The vault's present life holds `sent`: the slice leaves the outbox unless a later version
    waits, or proposals wait for their verdict."""
    if not pending_left:
        still = exists().where(_same_key(), slices.c.counter == sent.counter)
        statement = delete(outbox).filter_by(**key.columns).where(still)
        if connection.execute(statement).rowcount:
            return
    connection.execute(update(outbox).filter_by(**key.columns).values(resync=False))


def due(connection: Connection, now: datetime, limit: int) -> list[Key]:
    """Slices whose next push is due, the oldest first."""
    rows = connection.execute(
        select(outbox.c.topic, outbox.c.site_id, outbox.c.subject_id)
        .where(outbox.c.next_time <= now)
        .order_by(outbox.c.next_time)
        .limit(limit)
    )
    return [Key(*row) for row in rows]


def postpone(connection: Connection, key: Key, now: datetime) -> None:
    """Try again later: twice as long each time, at most two seconds."""
    row = connection.execute(
        select(outbox.c.attempts).filter_by(**key.columns).with_for_update()
    ).one_or_none()
    if row is None:
        return
    pause = min(_MOST_PAUSE_SECONDS, 0.1 * 2 ** min(row.attempts, 10))
    connection.execute(
        update(outbox)
        .filter_by(**key.columns)
        .values(attempts=row.attempts + 1, next_time=now + timedelta(seconds=pause))
    )


def oldest_pending(connection: Connection, now: datetime) -> dict[str, float]:
    """Age in seconds of the oldest unconfirmed slice by topic."""
    rows = connection.execute(
        select(outbox.c.topic, func.min(outbox.c.create_time)).group_by(outbox.c.topic)
    )
    return {topic: (now - since).total_seconds() for topic, since in rows}


def start_resync(connection: Connection, life: Life, now: datetime) -> None:
    """Begin a new life: every slice is to be pushed again under it.

    The slices keep their content, and their counters go on.
    """
    write_life(connection, life)
    connection.execute(update(slices).values(incarnation=life.incarnation))
    every = select(
        slices.c.topic,
        slices.c.site_id,
        slices.c.subject_id,
        literal(now, outbox.c.create_time.type),
        literal(now, outbox.c.next_time.type),
        literal(0),
        literal(True),
    ).where(slices.c.counter > 0)
    statement = upsert(outbox).from_select(
        ["topic", "site_id", "subject_id", "create_time", "next_time", "attempts", "resync"], every
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["topic", "site_id", "subject_id"],
            set_={"resync": True, "next_time": now, "attempts": 0},
        )
    )


def resync_left(connection: Connection) -> bool:
    """Whether a slice has still to be pushed to the vault's present life."""
    return (
        connection.execute(select(outbox.c.topic).filter_by(resync=True).limit(1)).first()
        is not None
    )


def _same_key() -> ColumnElement[bool]:
    return and_(
        slices.c.topic == outbox.c.topic,
        slices.c.site_id == outbox.c.site_id,
        slices.c.subject_id == outbox.c.subject_id,
    )
