# SPDX-License-Identifier: Apache-2.0
"""SQL of how many people each credential was given data of. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.store_budgets import Spender
from services.vault.tables_budgets import volume_days

# Ids of entries begin with their time: the primary key is the index. A little earlier than the day,
# because an id is made before its entry's time is taken.
_COUNT = text("""
    SELECT site_id, body::json ->> 'principal' AS principal, count(DISTINCT subject) AS subjects
    FROM evidence_entries
    WHERE entry_id >= :first AND record_time >= :start
      AND outcome = 'PERMITTED' AND subject <> ''
    GROUP BY 1, 2
""")


def count_since(connection: Connection, start: datetime) -> dict[Spender, int]:
    """How many different people each credential was given data of since then."""
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    first = f"{int(start.timestamp() * 1000) - 60_000:012x}"
    bound = {"first": f"{first[:8]}-{first[8:]}", "start": start}
    return {
        (row.site_id, row.principal): row.subjects
        for row in connection.execute(_COUNT, bound)
        if row.principal.startswith("key/")
    }


def write_day(connection: Connection, day: date, counts: Mapping[Spender, int]) -> None:
    """Keep the counts of a day; a higher one stands."""
    if not counts:
        return
    rows = [
        {"site_id": site, "principal": principal, "day": day, "subjects": n, "noted": False}
        for (site, principal), n in sorted(counts.items())
    ]
    statement = upsert(volume_days).values(rows)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["site_id", "principal", "day"],
            set_={"subjects": func.greatest(volume_days.c.subjects, statement.excluded.subjects)},
        )
    )


def earlier_days(connection: Connection, day: date) -> dict[Spender, Sequence[int]]:
    """The counts of the days before that one by credential, newest first."""
    rows = connection.execute(
        select(volume_days).where(volume_days.c.day < day).order_by(volume_days.c.day.desc())
    )
    found: dict[Spender, list[int]] = {}
    for row in rows:
        found.setdefault((row.site_id, row.principal), []).append(row.subjects)
    return dict(found)


def note(connection: Connection, spender: Spender, day: date) -> bool:
    """Mark a day as noted; False where it was already."""
    changed = connection.execute(
        update(volume_days)
        .where(
            volume_days.c.site_id == spender[0],
            volume_days.c.principal == spender[1],
            volume_days.c.day == day,
            volume_days.c.noted.is_(False),
        )
        .values(noted=True)
    )
    return changed.rowcount == 1


def forget_volumes(connection: Connection, before: date) -> None:
    """Forget the days before that one."""
    connection.execute(delete(volume_days).where(volume_days.c.day < before))
