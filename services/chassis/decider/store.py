# SPDX-License-Identifier: Apache-2.0
"""SQL of a decider's acts and of the slices that carry them, in the caller's transaction.

Everything is written for many subjects at once, in as many statements as for one: acts that come
in at the same moment are recorded, pushed and settled together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    LargeBinary,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Blobs, Booleans, Instants, Integers, Texts
from services.chassis.decider.tables import acts, decider_state, outbox, slices
from services.chassis.ids import new_uuid
from services.chassis.prepared import Prepared, given, matching

PENDING, IN_FORCE, REFUSED = "PENDING", "IN_FORCE", "REFUSED"
SUPERSEDED, SUBJECT_DESTROYED = "SUPERSEDED", "SUBJECT_DESTROYED"
# The handler that recorded the act pushes it itself; the dispatcher comes after.
_HANDLER_GOES_FIRST = timedelta(seconds=1)
KEY = {"topic": Text, "site_id": Text, "subject_id": Text}
MOMENT = DateTime(timezone=True)
# Written out: the index of what is pending is used for no parameter.
IS_PENDING = acts.c.enforcement == literal_column(f"'{PENDING}'")


@dataclass(frozen=True, slots=True, order=True)
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


@dataclass(frozen=True, slots=True)
class Slice:
    """A whole slice at its new version."""

    key: Key
    counter: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the vault said of a slice, for every pending act up to the counter `up_to`.

    `verdicts` holds (enforcement, reason) by proposal, under "" the end of all; a proposal without
    one stays PENDING, every other act is IN_FORCE from `applied`, the vault's own time.
    """

    key: Key
    up_to: int
    verdicts: Mapping[str, tuple[str, str]]
    applied: datetime


def same(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Both are of the same slice."""
    return and_(*(one.c[name] == other.c[name] for name in KEY))


def keyed(keys: Collection[Key]) -> dict[str, Texts]:
    """The columns that name slices, as the parameters of a `given` table."""
    return {
        "topic": Texts([key.topic for key in keys]),
        "site_id": Texts([key.site_id for key in keys]),
        "subject_id": Texts([key.subject_id for key in keys]),
    }


_locked = given("locked", **KEY)
_locking = upsert(slices).from_select(
    [*KEY, "incarnation", "counter", "body"],
    # In one order everywhere: two batches never wait for each other's slices.
    select(
        *_locked.columns, literal_column("0"), literal_column("0"), literal_column("''::bytea")
    ).order_by(*_locked.columns),
)
_NEXT = Prepared(
    # Where it stands already this locks it, and tells what the holder of the lock has made of it.
    _locking.on_conflict_do_update(
        index_elements=list(KEY), set_={"counter": slices.c.counter}
    ).returning(slices.c.topic, slices.c.site_id, slices.c.subject_id, slices.c.counter)
)


def next_counters(connection: Connection, keys: Collection[Key]) -> dict[Key, int]:
    """Lock slices until the transaction ends; the counter that the next version of each will have.

    Every act begins with this, so that the acts of one subject are in one order.
    """
    if not keys:
        return {}
    rows = _NEXT.rows(connection, **keyed(keys))
    return {Key(*place): counter + 1 for *place, counter in rows}


def next_counter(connection: Connection, key: Key) -> int:
    """The same for one slice."""
    return next_counters(connection, [key])[key]


_new_act = given(
    "new", act_id=Text, **KEY, counter=Integer, kind=Text, proposal=Boolean, record_time=MOMENT
)
_RECORD = Prepared(
    insert(acts).from_select(
        [*_new_act.columns.keys(), "enforcement", "reason"],
        select(*_new_act.columns, literal_column(f"'{PENDING}'"), literal_column("''")),
    )
)


def new_act(key: Key, counter: int, kind: str, *, proposal: bool, now: datetime) -> Act:
    """An act that the slice's version `counter` will carry; `record_acts` writes it."""
    return Act(new_uuid(), key, counter, kind, proposal, PENDING, "", now, None)


def record_acts(connection: Connection, recorded: Sequence[Act]) -> None:
    """Write new acts, whose slices are locked."""
    if not recorded:
        return
    _RECORD.run(
        connection,
        act_id=Texts([act.act_id for act in recorded]),
        **keyed([act.key for act in recorded]),
        counter=Integers([act.counter for act in recorded]),
        kind=Texts([act.kind for act in recorded]),
        proposal=Booleans([act.proposal for act in recorded]),
        record_time=Instants([act.record_time for act in recorded]),
    )


def record_act(
    connection: Connection, key: Key, counter: int, kind: str, *, proposal: bool, now: datetime
) -> Act:
    """Record an act that the slice's version `counter` carries."""
    act = new_act(key, counter, kind, proposal=proposal, now=now)
    record_acts(connection, [act])
    return act


_written = given("written", **KEY, counter=Integer, body=LargeBinary)
_WRITE = Prepared(
    update(slices)
    .where(same(slices, _written))
    .values(
        incarnation=func.coalesce(select(decider_state.c.incarnation).scalar_subquery(), 0),
        counter=_written.c.counter,
        body=_written.c.body,
    )
)
_queued = given("queued", **KEY)
_moments = [bindparam(name, type_=MOMENT) for name in ("create_time", "next_time")]
_QUEUE = Prepared(
    upsert(outbox)
    .from_select(
        [*KEY, "create_time", "next_time", "attempts", "resync"],
        select(*_queued.columns, *_moments, literal_column("0"), literal_column("false")).order_by(
            *_queued.columns
        ),
    )
    .on_conflict_do_nothing()
)


def write_slices(connection: Connection, written: Sequence[Slice], now: datetime) -> None:
    """Write whole slices at their new versions and put them into the outbox."""
    if not written:
        return
    places = keyed([each.key for each in written])
    _WRITE.run(
        connection,
        **places,
        counter=Integers([each.counter for each in written]),
        body=Blobs([each.body for each in written]),
    )
    _QUEUE.run(connection, **places, create_time=now, next_time=now + _HANDLER_GOES_FIRST)


def write_slice(connection: Connection, key: Key, counter: int, body: bytes, now: datetime) -> None:
    """The same for one slice."""
    write_slices(connection, [Slice(key, counter, body)], now)


_asked = given("asked", **KEY)
_PROPOSALS = Prepared(
    select(*_asked.columns, acts.c.act_id)
    .join_from(
        _asked,
        acts,
        same(acts, _asked),
    )
    .where(IS_PENDING, acts.c.proposal)
    .order_by(acts.c.act_id)
)


def open_proposals(connection: Connection, keys: Collection[Key]) -> dict[Key, list[str]]:
    """The proposals that have no verdict yet, by slice; a slice without any is left out."""
    found: dict[Key, list[str]] = {}
    for *place, act_id in _PROPOSALS.rows(connection, **keyed(keys)):
        found.setdefault(Key(*place), []).append(act_id)
    return found


_settled = given("settled", **KEY, up_to=Integer)
_ACTS = (
    acts.c.act_id,
    acts.c.topic,
    acts.c.site_id,
    acts.c.subject_id,
    acts.c.counter,
    acts.c.kind,
    acts.c.proposal,
    acts.c.enforcement,
    acts.c.reason,
    acts.c.record_time,
    acts.c.in_force_time,
)
_TO_SETTLE = Prepared(
    select(*_ACTS)
    .join_from(
        _settled,
        acts,
        and_(same(acts, _settled), acts.c.counter <= _settled.c.up_to),
    )
    .where(IS_PENDING)
    .order_by(acts.c.topic, acts.c.site_id, acts.c.subject_id, acts.c.counter, acts.c.act_id)
    .with_for_update(of=acts)
)
_ended = given("ended", act_id=Text, enforcement=Text, reason=Text, in_force_time=MOMENT)
_END = Prepared(
    update(acts)
    .where(acts.c.act_id == _ended.c.act_id)
    .values(
        enforcement=_ended.c.enforcement,
        reason=_ended.c.reason,
        in_force_time=_ended.c.in_force_time,
    )
)


def settle_acts(connection: Connection, settlements: Sequence[Settlement]) -> dict[Key, list[Act]]:
    """Give pending acts their end; those that ended, by slice, every slice being there."""
    by_key = {each.key: each for each in settlements}
    ended: dict[Key, list[Act]] = {key: [] for key in by_key}
    up_to = Integers([each.up_to for each in by_key.values()])
    for row in _TO_SETTLE.rows(connection, **keyed(by_key), up_to=up_to):
        act = _act(row)
        settlement = by_key[act.key]
        default = None if act.proposal else (IN_FORCE, "")
        end = settlement.verdicts.get(act.act_id, settlement.verdicts.get("", default))
        if end is not None:
            in_force_time = settlement.applied if end[0] == IN_FORCE else None
            ended[act.key].append(
                replace(act, enforcement=end[0], reason=end[1], in_force_time=in_force_time)
            )
    _end(connection, [act for each in ended.values() for act in each])
    return ended


def _end(connection: Connection, ended: Sequence[Act]) -> None:
    if ended:
        _END.run(
            connection,
            act_id=Texts([act.act_id for act in ended]),
            enforcement=Texts([act.enforcement for act in ended]),
            reason=Texts([act.reason for act in ended]),
            in_force_time=Instants([act.in_force_time for act in ended]),
        )


_READ = Prepared(select(*_ACTS).where(matching(acts.c.act_id)))


def read_act(connection: Connection, act_id: str, site_id: str | None = None) -> Act | None:
    """An act, of one site where `site_id` is given; None where there is none."""
    row = _READ.first(connection, act_id=act_id)
    act = None if row is None else _act(row)
    return None if act is None or site_id not in (None, act.key.site_id) else act


def _act(row: Any) -> Act:
    act_id, topic, site_id, subject_id, *members = row
    return Act(act_id, Key(topic, site_id, subject_id), *members)
