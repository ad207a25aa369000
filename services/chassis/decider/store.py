# SPDX-License-Identifier: Apache-2.0
"""SQL of a decider's acts and of the slices that carry them, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis.decider.store_life import read_life
from services.chassis.decider.tables import acts, outbox, slices
from services.chassis.ids import new_uuid

PENDING, IN_FORCE, REFUSED = "PENDING", "IN_FORCE", "REFUSED"
SUPERSEDED, SUBJECT_DESTROYED = "SUPERSEDED", "SUBJECT_DESTROYED"
# The handler that recorded the act pushes it itself; the dispatcher comes after.
_HANDLER_GOES_FIRST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Key:
    """A slice: its topic, its site and its subject (empty for the whole site)."""

    topic: str
    site_id: str
    subject_id: str

    @property
    def columns(self) -> dict[str, str]:
        """The columns that name it in every table."""
        return {"topic": self.topic, "site_id": self.site_id, "subject_id": self.subject_id}


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


def next_counter(connection: Connection, key: Key) -> int:
    """Lock the slice until the transaction ends; the counter its next version will have.

    Every act begins with this, so that the acts of one subject are in one order.
    """
    statement = upsert(slices).values(**key.columns, incarnation=0, counter=0, body=b"")
    # Where it stands already this locks it, and tells what the holder of the lock has made of it.
    statement = statement.on_conflict_do_update(
        index_elements=list(key.columns), set_={"counter": slices.c.counter}
    )
    row = connection.execute(statement.returning(slices.c.counter)).one()
    return int(row.counter) + 1


def record_act(
    connection: Connection, key: Key, counter: int, kind: str, *, proposal: bool, now: datetime
) -> Act:
    """Record an act that the slice's version `counter` carries."""
    act = Act(new_uuid(), key, counter, kind, proposal, PENDING, "", now, None)
    connection.execute(
        insert(acts).values(
            act_id=act.act_id,
            **key.columns,
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
        .filter_by(**key.columns)
        .values(
            incarnation=read_life(connection).incarnation,
            counter=counter,
            body=body,
        )
    )
    _enqueue(connection, key, now)


def _enqueue(connection: Connection, key: Key, now: datetime) -> None:
    statement = upsert(outbox).values(
        **key.columns,
        create_time=now,
        next_time=now + _HANDLER_GOES_FIRST,
        attempts=0,
        resync=False,
    )
    connection.execute(statement.on_conflict_do_nothing())


def open_proposals(connection: Connection, key: Key) -> list[str]:
    """The proposals of a slice that have no verdict yet."""
    rows = connection.execute(
        select(acts.c.act_id)
        .filter_by(**key.columns, enforcement=PENDING, proposal=True)
        .order_by(acts.c.act_id)
    )
    return [row.act_id for row in rows]


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
            .filter_by(**key.columns, enforcement=PENDING)
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
        in_force_time = applied if end[0] == IN_FORCE else None
        connection.execute(
            update(acts)
            .filter_by(act_id=act.act_id)
            .values(enforcement=end[0], reason=end[1], in_force_time=in_force_time)
        )
        ended.append(replace(act, enforcement=end[0], reason=end[1], in_force_time=in_force_time))
    return ended


def read_act(connection: Connection, act_id: str, site_id: str | None = None) -> Act | None:
    """An act, of one site where `site_id` is given; None where there is none."""
    statement = select(acts).filter_by(act_id=act_id)
    if site_id is not None:
        statement = statement.filter_by(site_id=site_id)
    return next(iter(_acts(connection.execute(statement).all())), None)


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
