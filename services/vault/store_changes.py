# SPDX-License-Identifier: Apache-2.0
"""SQL of changes of standing: written with the change, read in the order of their transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import DateTime, Text, bindparam, insert, select, text, tuple_
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.ids import new_uuid
from services.chassis.prepared import Prepared, given
from services.vault.standing import Standing
from services.vault.store import Subject
from services.vault.tables_changes import standing_changes

BLOCKED, LIFTED, RESTRICTED, DESTROYED = "BLOCKED", "LIFTED", "RESTRICTED", "DESTROYED"
_MINE = text("CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_OLDEST = text("CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
_new = given("new", change_id=Text, site_id=Text, subject_id=Text, kind=Text)
_ADD = Prepared(
    insert(standing_changes).from_select(
        [*_new.columns.keys(), "transaction_id", "change_time"],
        select(*_new.columns, _MINE, bindparam("now", type_=DateTime(timezone=True))),
    )
)


@dataclass(frozen=True, slots=True)
class Change:
    """A change, and its place in the order: (transaction, change)."""

    transaction_id: int
    change_id: str
    subject: Subject
    kind: str
    time: datetime


def change_of(before: Standing, after: Standing) -> str:
    """What changed for whoever holds the data; empty where nothing did."""
    if after.restricted:
        return "" if before.restricted else RESTRICTED
    if after.blocked:
        return "" if before.blocked else BLOCKED
    return LIFTED if before.blocked else ""


def add(connection: Connection, subject: Subject, kind: str, now: datetime) -> None:
    """Write a change in the transaction that makes it."""
    add_all(connection, [(subject, kind)], now)


def add_all(connection: Connection, made: Sequence[tuple[Subject, str]], now: datetime) -> None:
    """The same for several; of a subject each by its kind."""
    if made:
        _ADD.run(
            connection,
            change_id=Texts([new_uuid() for _ in made]),
            site_id=Texts([site for (site, _), _ in made]),
            subject_id=Texts([subject for (_, subject), _ in made]),
            kind=Texts([kind for _, kind in made]),
            now=now,
        )


def after(connection: Connection, place: tuple[int, str], limit: int) -> list[Change]:
    """Changes after a place, as far as no earlier one can still come."""
    t = standing_changes.c
    rows = connection.execute(
        select(standing_changes)
        .where(tuple_(t.transaction_id, t.change_id) > place, t.transaction_id < _OLDEST)
        .order_by(t.transaction_id, t.change_id)
        .limit(limit)
    )
    return [
        Change(r.transaction_id, r.change_id, (r.site_id, r.subject_id), r.kind, r.change_time)
        for r in rows
    ]
