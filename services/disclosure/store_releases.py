# SPDX-License-Identifier: Apache-2.0
"""SQL of the releases: PREPARED before the vault is asked, ended exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Text,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection, Row

from services.chassis.arrays import Booleans, Texts
from services.chassis.prepared import Prepared, given
from services.disclosure.permission import Denial
from services.disclosure.recipient import Kind
from services.disclosure.release import Release, ReleaseState
from services.disclosure.tables import IS_PREPARED, MAY_HAVE_LEFT, releases


@dataclass(frozen=True, slots=True)
class Left:
    """How a release ends that left or may have: the vault's entry, the fields, what it repeats."""

    release: Release
    entry_id: str
    fields: Sequence[str]
    first_release_id: str = ""


@dataclass(frozen=True, slots=True)
class Unleft:
    """How a release ends by which nothing left; `entry_id` is the vault's where it gave data."""

    release: Release
    state: ReleaseState
    denial: Denial
    entry_id: str = ""


_new = given(
    "new",
    site_id=Text,
    release_id=Text,
    subject_id=Text,
    order_id=Text,
    delivery_id=Text,
    recipient_id=Text,
    kind=Text,
    counted=Boolean,
)
# What a release has only at its end.
_NOT_YET: dict[str, ColumnElement[Any]] = {
    "state": literal_column("'PREPARED'"),
    "entry_id": literal_column("''"),
    "fields": literal_column("'{}'::text[]"),
    "first_release_id": literal_column("''"),
    "reason": literal_column("''"),
    "clause": literal_column("''"),
}
_PREPARE = Prepared(
    insert(releases).from_select(
        [*_new.columns.keys(), "prepare_time", *_NOT_YET],
        select(
            *_new.columns,
            bindparam("prepare_time", type_=DateTime(timezone=True)),
            *_NOT_YET.values(),
        ),
    )
)


def prepare(connection: Connection, prepared: Sequence[Release], now: datetime) -> None:
    """Write releases, all prepared `now`, before the vault is asked."""
    if not prepared:
        return
    _PREPARE.run(
        connection,
        site_id=Texts([each.site_id for each in prepared]),
        release_id=Texts([each.release_id for each in prepared]),
        subject_id=Texts([each.subject_id for each in prepared]),
        order_id=Texts([each.order_id for each in prepared]),
        delivery_id=Texts([each.delivery_id for each in prepared]),
        recipient_id=Texts([each.recipient_id for each in prepared]),
        kind=Texts([each.kind for each in prepared]),
        counted=Booleans([each.counted for each in prepared]),
        prepare_time=now,
    )


# Fields travel as one text each, because arrays of arrays have to be of one length.
_ended = given(
    "ended", site_id=Text, release_id=Text, entry_id=Text, first_release_id=Text, fields=Text
)
_END_LEFT = Prepared(
    update(releases)
    .where(
        releases.c.site_id == _ended.c.site_id,
        releases.c.release_id == _ended.c.release_id,
        # Not by its state, which has an index: each would be compared with all that are PREPARED.
        releases.c.end_time.is_(None),
    )
    .values(
        state=bindparam("end_state", type_=Text),
        end_time=bindparam("now", type_=DateTime(timezone=True)),
        entry_id=_ended.c.entry_id,
        first_release_id=_ended.c.first_release_id,
        fields=func.string_to_array(_ended.c.fields, " ", type_=ARRAY(Text)),
    )
    .returning(releases.c.release_id),
)


def end_left(
    connection: Connection, ended: Sequence[Left], state: ReleaseState, now: datetime
) -> set[str]:
    """End PREPARED releases as ones that left or may have; the ids of those that had not ended."""
    if not ended:
        return set()
    rows = _END_LEFT.rows(
        connection,
        site_id=Texts([each.release.site_id for each in ended]),
        release_id=Texts([each.release.release_id for each in ended]),
        entry_id=Texts([each.entry_id for each in ended]),
        first_release_id=Texts([each.first_release_id for each in ended]),
        fields=Texts([" ".join(each.fields) for each in ended]),
        end_state=str(state),
        now=now,
    )
    return {release_id for (release_id,) in rows}


_unleft = given(
    "ended",
    site_id=Text,
    release_id=Text,
    state=Text,
    reason=Text,
    clause=Text,
    entry_id=Text,
)
_END_UNLEFT = Prepared(
    update(releases)
    .where(
        releases.c.site_id == _unleft.c.site_id,
        releases.c.release_id == _unleft.c.release_id,
        releases.c.end_time.is_(None),
    )
    .values(
        state=_unleft.c.state,
        reason=_unleft.c.reason,
        clause=_unleft.c.clause,
        entry_id=_unleft.c.entry_id,
        end_time=bindparam("now", type_=DateTime(timezone=True)),
    )
    .returning(releases.c.release_id),
)


def end_unleft(connection: Connection, ended: Sequence[Unleft], now: datetime) -> set[str]:
    """End PREPARED releases by which nothing left; the ids of those that had not ended."""
    if not ended:
        return set()
    rows = _END_UNLEFT.rows(
        connection,
        site_id=Texts([each.release.site_id for each in ended]),
        release_id=Texts([each.release.release_id for each in ended]),
        state=Texts([each.state for each in ended]),
        reason=Texts([each.denial.reason for each in ended]),
        clause=Texts([each.denial.clause for each in ended]),
        entry_id=Texts([each.entry_id for each in ended]),
        now=now,
    )
    return {release_id for (release_id,) in rows}


def left_prepared(connection: Connection, before: datetime, limit: int) -> list[Release]:
    """Releases that were prepared before a time and have not ended, the oldest first."""
    rows = connection.execute(
        select(releases)
        .where(IS_PREPARED, releases.c.prepare_time < before)
        .order_by(releases.c.prepare_time)
        .limit(limit)
    )
    return [_release(row) for row in rows]


def oldest_prepared(connection: Connection) -> datetime | None:
    """When the oldest release was prepared that has not ended."""
    row = connection.execute(
        select(releases.c.prepare_time)
        .where(IS_PREPARED)
        .order_by(releases.c.prepare_time)
        .limit(1)
    ).one_or_none()
    return None if row is None else row.prepare_time


def fetches(connection: Connection, site_id: str, delivery_ids: Sequence[str]) -> Mapping[str, int]:
    """How often deliveries were fetched, as far as it counts; those that never were are absent."""
    if not delivery_ids:
        return {}
    r = releases.c
    rows = connection.execute(
        select(r.delivery_id, func.count().label("fetches"))
        .filter_by(site_id=site_id)
        .where(r.delivery_id.in_(delivery_ids), r.counted, MAY_HAVE_LEFT)
        .group_by(r.delivery_id)
    )
    return {row.delivery_id: row.fetches for row in rows}


def _release(row: Row[Any]) -> Release:
    return Release(
        site_id=row.site_id,
        release_id=row.release_id,
        subject_id=row.subject_id,
        order_id=row.order_id,
        delivery_id=row.delivery_id,
        recipient_id=row.recipient_id,
        kind=Kind(row.kind),
        prepare_time=row.prepare_time,
        counted=row.counted,
    )
