# SPDX-License-Identifier: Apache-2.0
"""SQL of the push protocol on the decider's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis.decider.tables import acts, decider_state, outbox, slices
from services.chassis.ids import new_uuid
from services.chassis.slices import SliceVersion

PENDING, IN_FORCE, REFUSED = "PENDING", "IN_FORCE", "REFUSED"
SUPERSEDED, SUBJECT_DESTROYED = "SUPERSEDED", "SUBJECT_DESTROYED"
_MOST_PAUSE_SECONDS = 2.0
# The handler that recorded the act pushes it itself; the dispatcher comes after.
_HANDLER_GOES_FIRST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Key:
    """A slice: its topic, its site and its subject (empty for the whole site)."""

    topic: str
    site_id: str
    subject_id: str


@dataclass(frozen=True, slots=True)
class Act:
    """A recorded act; `enforcement` and `reason` are names of the contract."""

    act_id: str
    key: Key
    counter: int
    kind: str
    proposal: bool
    enforcement: str
    reason: str
    record_time: datetime
    in_force_time: datetime | None


@dataclass(frozen=True, slots=True)
class Push:
    """A slice as it is to be sent."""

    key: Key
    version: SliceVersion
    body: bytes
    open_proposals: tuple[str, ...]
    resync: bool


@dataclass(frozen=True, slots=True)
class Life:
    """The decider's incarnation and the vault's; incarnation 0: never met a vault."""

    incarnation: int
    vault_incarnation: str
    database_identity: str
    resynced: bool


def read_life(connection: Connection) -> Life:
    """The decider's life; a blank one before the first contact."""
    row = connection.execute(select(decider_state)).one_or_none()
    if row is None:
        return Life(0, "", "", False)
    return Life(row.incarnation, row.vault_incarnation, row.database_identity, row.resynced)


def write_life(connection: Connection, life: Life) -> None:
    """Replace the decider's life."""
    members = {
        "incarnation": life.incarnation,
        "vault_incarnation": life.vault_incarnation,
        "database_identity": life.database_identity,
        "resynced": life.resynced,
    }
    statement = upsert(decider_state).values(only=True, **members)
    connection.execute(statement.on_conflict_do_update(index_elements=["only"], set_=members))


def database_identity(connection: Connection) -> str:
    """What changes when the database is restored: cluster, timeline and database."""
    return str(
        connection.execute(
            text(
                "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || "
                "(SELECT timeline_id FROM pg_control_checkpoint()) || '/' || oid "
                "FROM pg_database WHERE datname = current_database()"
            )
        ).scalar_one()
    )


def next_counter(connection: Connection, key: Key) -> int:
    """Lock the slice until the transaction ends; the counter its next version will have.

    Every act begins with this, so that the acts of one subject are in one order.
    """
    connection.execute(
        upsert(slices)
        .values(
            **_columns(key),
            incarnation=0,
            counter=0,
            body=b"",
        )
        .on_conflict_do_nothing()
    )
    row = connection.execute(
        select(slices.c.counter).filter_by(**_columns(key)).with_for_update()
    ).one()
    return int(row.counter) + 1


def record_act(
    connection: Connection, key: Key, counter: int, kind: str, *, proposal: bool, now: datetime
) -> Act:
    """Record an act that the slice's version `counter` carries."""
    act = Act(new_uuid(), key, counter, kind, proposal, PENDING, "", now, None)
    connection.execute(
        insert(acts).values(
            act_id=act.act_id,
            **_columns(key),
            counter=counter,
            kind=kind,
            proposal=proposal,
            enforcement=PENDING,
            reason="",
            record_time=now,
        )
    )
    return act


def write_slice(connection: Connection, key: Key, counter: int, body: bytes, now: datetime) -> None:
    """Write the whole slice at its new version and put it into the outbox."""
    connection.execute(
        update(slices)
        .filter_by(**_columns(key))
        .values(
            incarnation=read_life(connection).incarnation,
            counter=counter,
            body=body,
        )
    )
    _enqueue(connection, key, now)


def open_proposals(connection: Connection, key: Key) -> list[str]:
    """The proposals of a slice that have no verdict yet."""
    rows = connection.execute(
        select(acts.c.act_id)
        .filter_by(**_columns(key), enforcement=PENDING, proposal=True)
        .order_by(acts.c.act_id)
    )
    return [row.act_id for row in rows]


def _enqueue(connection: Connection, key: Key, now: datetime) -> None:
    statement = upsert(outbox).values(
        **_columns(key),
        create_time=now,
        next_time=now + _HANDLER_GOES_FIRST,
        attempts=0,
        resync=False,
    )
    connection.execute(statement.on_conflict_do_nothing())


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
        select(slices.c.incarnation, slices.c.counter).filter_by(**_columns(key)).with_for_update()
    ).one()
    return SliceVersion(row.incarnation, row.counter)


def confirm(connection: Connection, key: Key, sent: SliceVersion, *, pending_left: bool) -> None:
    """The vault holds `sent`: the slice leaves the outbox unless a later version waits."""
    row = connection.execute(select(slices.c.counter).filter_by(**_columns(key))).one()
    if row.counter == sent.counter and not pending_left:
        connection.execute(delete(outbox).filter_by(**_columns(key)))


def settle_acts(
    connection: Connection,
    key: Key,
    up_to: int,
    verdicts: Mapping[str, tuple[str, str]],
    applied: datetime,
) -> list[Act]:
    """Give every pending act up to a counter its end; returns those that ended.

    `verdicts` holds (enforcement, reason) by proposal, under "" the end of all;
    a proposal without one stays PENDING, every other act is IN_FORCE from
    `applied`, the vault's own time.
    """
    pending = _acts(
        connection.execute(
            select(acts)
            .filter_by(**_columns(key), enforcement=PENDING)
            .where(acts.c.counter <= up_to)
            .order_by(acts.c.counter, acts.c.act_id)
            .with_for_update()
        ).all()
    )
    ended: list[Act] = []
    for act in pending:
        default = None if act.proposal else (IN_FORCE, "")
        end = verdicts.get(act.act_id, verdicts.get("", default))
        if end is None:
            continue
        connection.execute(
            update(acts)
            .filter_by(act_id=act.act_id)
            .values(
                enforcement=end[0],
                reason=end[1],
                in_force_time=applied if end[0] == IN_FORCE else None,
            )
        )
        ended.append(read_act(connection, act.act_id) or act)
    return ended


def read_act(connection: Connection, act_id: str, site_id: str | None = None) -> Act | None:
    """An act, of one site where `site_id` is given; None where there is none."""
    statement = select(acts).filter_by(act_id=act_id)
    if site_id is not None:
        statement = statement.filter_by(site_id=site_id)
    return next(iter(_acts(connection.execute(statement).all())), None)


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
        select(outbox.c.attempts).filter_by(**_columns(key)).with_for_update()
    ).one_or_none()
    if row is None:
        return
    pause = min(_MOST_PAUSE_SECONDS, 0.1 * 2 ** min(row.attempts, 10))
    connection.execute(
        update(outbox)
        .filter_by(**_columns(key))
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


def clear_resync(connection: Connection, key: Key) -> None:
    """The vault's present life holds this slice."""
    connection.execute(update(outbox).filter_by(**_columns(key)).values(resync=False))


def _columns(key: Key) -> dict[str, str]:
    return {"topic": key.topic, "site_id": key.site_id, "subject_id": key.subject_id}


def _same_key() -> ColumnElement[bool]:
    return and_(
        slices.c.topic == outbox.c.topic,
        slices.c.site_id == outbox.c.site_id,
        slices.c.subject_id == outbox.c.subject_id,
    )


def _acts(rows: Sequence[Row[*tuple[object, ...]]]) -> list[Act]:
    return [
        Act(
            r.act_id,
            Key(r.topic, r.site_id, r.subject_id),
            r.counter,
            r.kind,
            r.proposal,
            r.enforcement,
            r.reason,
            r.record_time,
            r.in_force_time,
        )
        for r in rows
    ]
