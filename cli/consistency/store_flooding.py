# SPDX-License-Identifier: Apache-2.0
"""How many subjects credentials named on a day, as it is counted and as their claims say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select

from cli.consistency.store_snapshot import Snapshot, plain
from services.claims.tables import claim_acts, claims
from services.claims.tables_flooding import filed_subjects

_FILED = "claim.filed"


@dataclass(frozen=True, slots=True)
class FiledDay:
    """What is counted of a credential's local day."""

    site: str
    filed_by: str
    day: date
    subjects: int


@dataclass(frozen=True, slots=True)
class FiledClaim:
    """A claim: who filed it, when, and how many subjects it named then."""

    site: str
    filed_by: str
    time: datetime
    named: int


def counted(source: Snapshot) -> Iterator[FiledDay]:
    """Counts by (site, credential, day)."""
    f = filed_subjects.c
    order = plain(f.site_id), plain(f.filed_by), f.day
    statement = select(f.site_id, f.filed_by, f.day, f["count"].label("subjects"))
    for row in source.stream(statement.order_by(*order)):
        yield FiledDay(row.site_id, row.filed_by, row.day, row.subjects)


def filed(source: Snapshot) -> Iterator[FiledClaim]:
    """Claims by (site, credential, time)."""
    c, a = claims.c, claim_acts.c
    named = (
        select(func.count())
        .where(a.site_id == c.site_id, a.claim_id == c.claim_id, a.kind == _FILED)
        .scalar_subquery()
    )
    statement = select(c.site_id, c.filed_by, c.record_time, named.label("named"))
    order = plain(c.site_id), plain(c.filed_by), c.record_time
    for row in source.stream(statement.order_by(*order)):
        yield FiledClaim(row.site_id, row.filed_by, row.record_time, row.named)
