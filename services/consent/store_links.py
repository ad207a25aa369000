# SPDX-License-Identifier: Apache-2.0
"""SQL of visitors' links to accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, tuple_
from sqlalchemy.engine import Connection, Row

from services.consent.link import Link, Links
from services.consent.tables_links import links

_SETTLED, _PROPOSED = "settled", "proposed"


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link with its visitor; not `settled`: the vault has not answered it yet."""

    visitor_id: str
    link: Link
    settled: bool


def read_links(connection: Connection, site_id: str, visitor_id: str) -> Links:
    """All links of a visitor."""
    rows = connection.execute(
        select(links)
        .filter_by(site_id=site_id, subject_id=visitor_id)
        .order_by(links.c.time, links.c.act_id)
    ).all()
    proposed = [_link(row) for row in rows if row.slot == _PROPOSED]
    settled = tuple(_link(row) for row in rows if row.slot == _SETTLED)
    return Links(settled, proposed[0] if proposed else None)


def save_links(connection: Connection, site_id: str, visitor_id: str, after: Links) -> None:
    """Replace the links of a visitor; the caller holds the lock of the visitor's slice."""
    connection.execute(delete(links).filter_by(site_id=site_id, subject_id=visitor_id))
    slots = [(_SETTLED, link) for link in after.settled]
    slots += [(_PROPOSED, after.proposed)] if after.proposed else []
    rows = [
        {
            "site_id": site_id,
            "subject_id": visitor_id,
            "act_id": link.act_id,
            "slot": slot,
            "account_id": link.account_id,
            "time": link.time,
            "end_time": link.end_time,
        }
        for slot, link in slots
    ]
    if rows:
        connection.execute(insert(links), rows)


def has_visitors(connection: Connection, site_id: str, account_id: str) -> bool:
    """Whether a visitor is linked to a subject, or on its way to be."""
    found = select(links.c.act_id).filter_by(site_id=site_id, account_id=account_id)
    return connection.execute(found.where(links.c.end_time.is_(None)).limit(1)).first() is not None


def list_links(
    connection: Connection,
    site_id: str,
    subject_id: str,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[LinkRow]:
    """The links of a subject as visitor or as account, after a (time, act)."""
    concerned = or_(links.c.subject_id == subject_id, links.c.account_id == subject_id)
    statement = select(links).where(links.c.site_id == site_id, concerned)
    if after is not None:
        statement = statement.where(tuple_(links.c.time, links.c.act_id) > tuple_(*after))
    rows: Sequence[Row[Any]] = connection.execute(
        statement.order_by(links.c.time, links.c.act_id).limit(limit)
    ).all()
    return [LinkRow(row.subject_id, _link(row), row.slot == _SETTLED) for row in rows]


def _link(row: Row[Any]) -> Link:
    return Link(row.act_id, row.account_id, row.time, row.end_time)
