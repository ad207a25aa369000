# SPDX-License-Identifier: Apache-2.0
"""SQL of visits and purchases. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    FromClause,
    Row,
    Select,
    Text,
    and_,
    column,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection
from sqlalchemy.sql import cast
from sqlalchemy.sql.selectable import LateralFromClause

from services.vault.fields import Field
from services.vault.store import Subject
from services.vault.tables_records import purchases, visits

RECENT_VISITS: Final = 10
RECENT_LINES: Final = 100
_COLUMNS: Final = {
    Field.IP: "ip",
    Field.COOKIE: "cookie",
    Field.USER_AGENT: "user_agent",
    Field.ACCESS_TIME: "access_time",
    Field.PAGE: "page",
    Field.REFERRER: "referrer",
}


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A visit's ciphertexts by kind."""

    visit_id: str
    sealed: Mapping[Field, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LineRow:
    """The ciphertext of one line of an order."""

    order_id: str
    line: int
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The ciphertext of what a visit is counted under."""

    site: str
    subject: str
    visit_id: str
    ciphertext: bytes = field(repr=False)


def record_visits(
    connection: Connection,
    rows: Sequence[tuple[Subject, str, Mapping[str, bytes]]],
    now: datetime,
) -> None:
    """Write visits: (subject, visit id, ciphertexts by kind, "groups", "salt" if any)."""
    if not rows:
        return
    members = [
        {
            "site_id": site,
            "subject_id": subject,
            "visit_id": visit_id,
            "groups": sealed["groups"],
            "salt": sealed.get("salt"),
            "store_time": now,
        }
        | {name: sealed.get(str(kind)) for kind, name in _COLUMNS.items()}
        for (site, subject), visit_id, sealed in rows
    ]
    connection.execute(insert(visits), members)


def known_visits(
    connection: Connection, site: str, ids: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those of (subject, visit id) that stand."""
    v = visits.c
    rows = connection.execute(
        select(v.subject_id, v.visit_id).where(
            v.site_id == site, tuple_(v.subject_id, v.visit_id).in_(sorted(ids))
        )
    )
    return {(r.subject_id, r.visit_id) for r in rows}


def recent_visits(
    connection: Connection, wanted: Collection[Subject], until: datetime | None = None
) -> dict[Subject, list[VisitRow]]:
    """The visits recorded last of each subject, newest first; of those stored by `until`."""
    if not wanted:
        return {}
    asked = _asked([(site, subject) for site, subject in wanted], ("site_id", "subject_id"))
    v = visits.c
    last = (
        select(visits)
        .where(v.site_id == asked.c.site_id, v.subject_id == asked.c.subject_id)
        .order_by(v.visit_id.desc())
        .limit(RECENT_VISITS)
    )
    if until is not None:
        last = last.where(v.store_time <= until)
    found: dict[Subject, list[VisitRow]] = {}
    statement, one = _one_each(asked, last)
    for row in connection.execute(statement.order_by(one.c.visit_id.desc())):
        found.setdefault((row.site_id, row.subject_id), []).append(visit_row(row))
    return found


def visit_row(row: Row[Any]) -> VisitRow:
    """A row of the table of visits."""
    sealed = {
        kind: bytes(value)
        for kind, name in _COLUMNS.items()
        if (value := getattr(row, name)) is not None
    }
    return VisitRow(row.visit_id, sealed)


def store_lines(
    connection: Connection,
    subject: Subject,
    order_id: str,
    ciphertexts: Sequence[bytes],
    now: datetime,
) -> None:
    """Write the lines of an order, from line 1."""
    members = [
        {
            "site_id": subject[0],
            "subject_id": subject[1],
            "order_id": order_id,
            "line": number,
            "ciphertext": ciphertext,
            "store_time": now,
        }
        for number, ciphertext in enumerate(ciphertexts, 1)
    ]
    connection.execute(insert(purchases), members)


def has_lines(connection: Connection, subject: Subject, order_id: str) -> datetime | None:
    """When the lines of an order were stored; None where they were not."""
    row = connection.execute(
        select(purchases.c.store_time).filter_by(
            site_id=subject[0], subject_id=subject[1], order_id=order_id, line=1
        )
    ).one_or_none()
    return row.store_time if row else None


def lines(
    connection: Connection,
    wanted: Collection[tuple[str, str, str]],
    until: datetime | None = None,
) -> dict[tuple[str, str, str], list[LineRow]]:
    """The lines of each (site, subject, order), those stored last of all orders where it is "".

    Of those stored by `until`.
    """
    if not wanted:
        return {}
    asked = _asked(list(wanted), ("site_id", "subject_id", "wanted_order"))
    p = purchases.c
    last = (
        select(purchases, asked.c.wanted_order)
        .where(
            p.site_id == asked.c.site_id,
            p.subject_id == asked.c.subject_id,
            or_(asked.c.wanted_order == "", p.order_id == asked.c.wanted_order),
        )
        .order_by(p.store_time.desc(), p.order_id, p.line)
        .limit(RECENT_LINES)
    )
    if until is not None:
        last = last.where(p.store_time <= until)
    found: dict[tuple[str, str, str], list[LineRow]] = {}
    statement, one = _one_each(asked, last)
    order = one.c.store_time.desc(), one.c.order_id, one.c.line
    for row in connection.execute(statement.order_by(*order)):
        place = (row.site_id, row.subject_id, row.wanted_order)
        line = LineRow(row.order_id, row.line, bytes(row.ciphertext))
        found.setdefault(place, []).append(line)
    return found


def groups(
    connection: Connection,
    site: str,
    since: datetime,
    until: datetime,
    after: tuple[datetime, str, str] | None,
    limit: int,
) -> list[tuple[datetime, GroupRow]]:
    """The groups of visits stored from `since` to `until`, in the order they were stored."""
    v = visits.c
    place = tuple_(v.store_time, v.subject_id, v.visit_id)
    within = [v.site_id == site, v.store_time >= since, v.store_time < until]
    if after is not None:
        within.append(place > tuple_(*(literal(each) for each in after)))
    rows = connection.execute(
        select(v.subject_id, v.visit_id, v.groups, v.store_time)
        .where(and_(*within))
        .order_by(v.store_time, v.subject_id, v.visit_id)
        .limit(limit)
    )
    return [(r.store_time, GroupRow(site, r.subject_id, r.visit_id, bytes(r.groups))) for r in rows]


def _asked(rows: Sequence[tuple[str, ...]], names: tuple[str, ...]) -> FromClause:
    arrays = [
        cast(literal([row[n] for row in rows], ARRAY(Text)), ARRAY(Text)) for n in range(len(names))
    ]
    valued = func.unnest(*arrays).table_valued(*(column(name, Text) for name in names))
    return valued.render_derived("asked")


def _one_each(asked: FromClause, last: Select[Any]) -> tuple[Select[Any], LateralFromClause]:
    """What `last` finds for each row asked."""
    one = last.lateral("one")
    return select(one).select_from(asked.join(one, true())), one
