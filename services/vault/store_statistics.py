# SPDX-License-Identifier: Apache-2.0
"""SQL of the counts that depersonalised people leave. Functions take the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.statistics import Count, Group
from services.vault.store_records import GroupRow
from services.vault.tables_records import visits
from services.vault.tables_statistics import depersonalised_visits


def groups_of(connection: Connection, site: str, subject: str, most: int) -> list[GroupRow]:
    """The groups of a subject's visits, the newest `most`."""
    v = visits.c
    rows = connection.execute(
        select(v.visit_id, v.groups)
        .where(v.site_id == site, v.subject_id == subject)
        .order_by(v.store_time.desc(), v.visit_id)
        .limit(most)
    )
    return [GroupRow(site, subject, row.visit_id, bytes(row.groups)) for row in rows]


def add_counts(connection: Connection, site: str, counts: Mapping[Group, Count]) -> None:
    """Add to what stands; in one order everywhere, so that two who add never wait in a ring."""
    for group, count in sorted(counts.items()):
        statement = upsert(depersonalised_visits).values(
            site_id=site,
            day=date.fromisoformat(group.day),
            kind=group.kind,
            name=group.name,
            visits=count.visits,
            visitors=count.visitors,
        )
        d = depersonalised_visits.c
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["site_id", "day", "kind", "name"],
                set_={
                    "visits": d.visits + statement.excluded.visits,
                    "visitors": d.visitors + statement.excluded.visitors,
                },
            )
        )


def forget_counts(connection: Connection, site: str, before: date) -> None:
    """Days that no statistics tell of any more."""
    d = depersonalised_visits.c
    connection.execute(delete(depersonalised_visits).where(d.site_id == site, d.day < before))


def read_counts(connection: Connection, site: str, first: date, last: date) -> dict[Group, Count]:
    """The counts of the days from `first` to `last`."""
    d = depersonalised_visits.c
    rows = connection.execute(
        select(depersonalised_visits).where(d.site_id == site, d.day.between(first, last))
    )
    return {
        Group(row.day.isoformat(), row.kind, row.name): Count(row.visits, row.visitors)
        for row in rows
    }
