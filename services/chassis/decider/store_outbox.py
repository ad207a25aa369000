# SPDX-License-Identifier: Apache-2.0
"""SQL of what the vault has still to confirm. Functions take the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    DateTime,
    Integer,
    Interval,
    bindparam,
    cast,
    delete,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Integers
from services.chassis.decider.store import KEY, Key, keyed, open_proposals, same
from services.chassis.decider.store_life import Life, write_life
from services.chassis.decider.tables import outbox, slices
from services.chassis.prepared import Prepared, given
from services.chassis.slices import SliceVersion

_MOST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Push:
    """A slice as it is to be sent."""

    key: Key
    version: SliceVersion
    body: bytes
    open_proposals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The vault's present life holds the slice as it was `sent`; whether proposals wait still."""

    key: Key
    sent: SliceVersion
    pending_left: bool


_asked = given("asked", **KEY)
_PUSHES = Prepared(
    select(
        slices.c.topic,
        slices.c.site_id,
        slices.c.subject_id,
        slices.c.incarnation,
        slices.c.counter,
        slices.c.body,
    )
    .select_from(_asked.join(slices, same(slices, _asked)).join(outbox, same(outbox, _asked)))
    .where(slices.c.counter > 0)
    .order_by(slices.c.topic, slices.c.site_id, slices.c.subject_id)
    # Held until the proposals are read too: a verdict that is written down in between would look
    # like a settled fact of the slice.
    .with_for_update(of=slices)
)


def read_pushes(connection: Connection, keys: Collection[Key]) -> list[Push]:
    """Those of the slices that the vault has not confirmed, as they are to be sent now."""
    rows = _PUSHES.rows(connection, **keyed(keys))
    proposals = open_proposals(connection, [Key(*row[:3]) for row in rows]) if rows else {}
    return [
        Push(
            key := Key(*place),
            SliceVersion(incarnation, counter),
            body,
            tuple(proposals.get(key, ())),
        )
        for *place, incarnation, counter, body in rows
    ]


_LOCK = Prepared(
    select(
        slices.c.topic,
        slices.c.site_id,
        slices.c.subject_id,
        slices.c.incarnation,
        slices.c.counter,
    )
    .join_from(_asked, slices, same(slices, _asked))
    .order_by(slices.c.topic, slices.c.site_id, slices.c.subject_id)
    .with_for_update(of=slices)
)


def lock_versions(connection: Connection, keys: Collection[Key]) -> dict[Key, SliceVersion]:
    """The slices' present versions, locked until the transaction ends, in one order everywhere."""
    rows = _LOCK.rows(connection, **keyed(keys))
    return {
        Key(*place): SliceVersion(incarnation, counter) for *place, incarnation, counter in rows
    }


_sent = given("sent", **KEY, counter=Integer)
_CONFIRM = Prepared(
    delete(outbox)
    .where(same(outbox, _sent), same(slices, _sent), slices.c.counter == _sent.c.counter)
    .returning(outbox.c.topic, outbox.c.site_id, outbox.c.subject_id)
)
_KNOWN = Prepared(update(outbox).where(same(outbox, _asked)).values(resync=literal_column("false")))


def confirm(connection: Connection, confirmed: Sequence[Confirmation]) -> None:
    """Slices leave the outbox unless a later version waits, or proposals wait for a verdict."""
    whole = [each for each in confirmed if not each.pending_left]
    left = {each.key for each in confirmed}
    if whole:
        counters = Integers([each.sent.counter for each in whole])
        gone = _CONFIRM.rows(connection, **keyed([each.key for each in whole]), counter=counters)
        left -= {Key(*row) for row in gone}
    if left:
        _KNOWN.run(connection, **keyed(left))


_DUE = Prepared(
    select(outbox.c.topic, outbox.c.site_id, outbox.c.subject_id)
    .where(outbox.c.next_time <= bindparam("now", type_=DateTime(timezone=True)))
    .order_by(outbox.c.next_time)
    .limit(bindparam("limit", type_=Integer))
)


def due(connection: Connection, now: datetime, limit: int) -> list[Key]:
    """Slices whose next push is due, the oldest first."""
    return [Key(*row) for row in _DUE.rows(connection, now=now, limit=limit)]


_SOONEST = Prepared(select(func.min(outbox.c.next_time)))


def soonest(connection: Connection) -> datetime | None:
    """When the next push is due; None where everything is confirmed."""
    found: datetime | None = _SOONEST.rows(connection)[0][0]
    return found


_pause = func.least(_MOST_PAUSE_SECONDS, 0.1 * func.power(2, func.least(outbox.c.attempts, 10)))
_POSTPONE = Prepared(
    update(outbox)
    .where(same(outbox, _asked))
    .values(
        attempts=outbox.c.attempts + 1,
        next_time=bindparam("now", type_=DateTime(timezone=True))
        + _pause * cast(literal_column("'1 second'"), Interval),
    )
)


def postpone(connection: Connection, keys: Collection[Key], now: datetime) -> None:
    """Try again later: twice as long each time, at most two seconds."""
    _POSTPONE.run(connection, **keyed(keys), now=now)


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
