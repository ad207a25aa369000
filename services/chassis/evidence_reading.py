# SPDX-License-Identifier: Apache-2.0
"""What was done with a person's data, from the evidence: by pseudonym and time, newest first.

Read in the caller's transaction; the cost is that of a page, whatever else the log holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, column, func, lateral, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection
from sqlalchemy.sql import cast, literal

from services.chassis.evidence import entries


@dataclass(frozen=True, slots=True)
class Span:
    """A span of record time: from `start` on, before `end`; open where None."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands. `members` is its body: event, verb, principal, refs, …"""

    entry_id: str
    record_time: datetime
    event: str
    outcome: str
    members: dict[str, Any]

    @property
    def place(self) -> Place:
        """Where a page that ends with this entry goes on."""
        return Place(self.record_time, self.entry_id)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of the entries."""

    record_time: datetime
    entry_id: str


def read_entries(
    connection: Connection,
    site_id: str,
    pseudonyms: Collection[str],
    limit: int,
    span: Span = Span(),
    after: Place | None = None,
    told_at: datetime | None = None,
) -> list[Recorded]:
    """At most `limit` entries about the subjects with these pseudonyms, newest first.

    `after` is the place of the last entry of the page before. With `told_at`, entries that are
    secret then are left out: whoever reads for the person concerned has to give it (clause 5.3).
    Raises ValueError for the empty pseudonym, which stands in entries about nobody known.
    """
    if "" in pseudonyms:
        raise ValueError("an entry without pseudonym is about nobody known")
    if not pseudonyms:
        return []
    e = entries.c
    asked = (
        func.unnest(cast(literal(sorted(set(pseudonyms)), ARRAY(Text)), ARRAY(Text)))
        .table_valued(column("subject", Text))
        .render_derived("asked")
    )
    each = select(e.entry_id, e.record_time, e.event, e.outcome, e.body).where(
        e.site_id == site_id, e.subject == asked.c.subject
    )
    if span.start is not None:
        each = each.where(e.record_time >= span.start)
    if span.end is not None:
        each = each.where(e.record_time < span.end)
    if after is not None:
        place = tuple_(literal(after.record_time), literal(after.entry_id))
        each = each.where(tuple_(e.record_time, e.entry_id) < place)
    if told_at is not None:
        each = each.where(or_(e.secret_until.is_(None), e.secret_until <= told_at))
    # A page of each pseudonym, by the index; then the newest of them all.
    page = lateral(each.order_by(e.record_time.desc(), e.entry_id.desc()).limit(limit), "page")
    statement = (
        select(page)
        .select_from(asked.join(page, true()))
        .order_by(page.c.record_time.desc(), page.c.entry_id.desc())
        .limit(limit)
    )
    return [
        Recorded(row.entry_id, row.record_time, row.event, row.outcome, json.loads(row.body))
        for row in connection.execute(statement)
    ]
