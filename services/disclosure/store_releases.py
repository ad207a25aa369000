# SPDX-License-Identifier: Apache-2.0
"""SQL of the releases: PREPARED before the vault is asked, ended exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import Connection, Row

from services.disclosure.permission import Denial
from services.disclosure.recipient import Kind
from services.disclosure.release import Release, ReleaseState
from services.disclosure.tables import releases


@dataclass(frozen=True, slots=True)
class Left:
    """How a release ends that left or may have: the vault's entry, the fields, what it repeats."""

    release: Release
    entry_id: str
    fields: Sequence[str]
    first_release_id: str = ""


def prepare(connection: Connection, prepared: Sequence[Release]) -> None:
    """Write releases before the vault is asked."""
    if not prepared:
        return
    connection.execute(
        insert(releases),
        [
            {
                "site_id": release.site_id,
                "release_id": release.release_id,
                "subject_id": release.subject_id,
                "order_id": release.order_id,
                "delivery_id": release.delivery_id,
                "recipient_id": release.recipient_id,
                "kind": release.kind,
                "state": ReleaseState.PREPARED,
                "prepare_time": release.prepare_time,
                "entry_id": "",
                "fields": [],
                "first_release_id": "",
                "reason": "",
                "clause": "",
                "counted": release.counted,
            }
            for release in prepared
        ],
    )


# Fields travel as one text each, because arrays of arrays have to be of one length.
_END_LEFT = text(
    "UPDATE releases SET state = :state, end_time = :now, entry_id = ended.entry_id, "
    "first_release_id = ended.first_release_id, "
    "fields = string_to_array(nullif(ended.fields, ''), ' ') "
    "FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[]), CAST(:entries AS text[]), "
    "CAST(:firsts AS text[]), CAST(:fields AS text[])) "
    "AS ended (site_id, release_id, entry_id, first_release_id, fields) "
    "WHERE releases.site_id = ended.site_id AND releases.release_id = ended.release_id "
    "AND releases.state = 'PREPARED' RETURNING releases.release_id"
)


def end_left(
    connection: Connection, ended: Sequence[Left], state: ReleaseState, now: datetime
) -> set[str]:
    """End PREPARED releases as ones that left or may have; the ids of those that had not ended."""
    if not ended:
        return set()
    rows = connection.execute(
        _END_LEFT,
        {
            "state": str(state),
            "now": now,
            "sites": [each.release.site_id for each in ended],
            "ids": [each.release.release_id for each in ended],
            "entries": [each.entry_id for each in ended],
            "firsts": [each.first_release_id for each in ended],
            "fields": [" ".join(each.fields) for each in ended],
        },
    )
    return {row.release_id for row in rows}


def end_unleft(
    connection: Connection,
    release: Release,
    state: ReleaseState,
    denial: Denial,
    now: datetime,
    entry_id: str = "",
) -> bool:
    """End a PREPARED release by which nothing left; False where it has ended already."""
    place = {"site_id": release.site_id, "release_id": release.release_id}
    statement = update(releases).filter_by(**place, state=ReleaseState.PREPARED)
    ended = connection.execute(
        statement.values(
            state=state,
            reason=denial.reason,
            clause=denial.clause,
            entry_id=entry_id,
            end_time=now,
        )
    )
    return ended.rowcount == 1


def left_prepared(connection: Connection, before: datetime, limit: int) -> list[Release]:
    """Releases that were prepared before a time and have not ended, the oldest first."""
    rows = connection.execute(
        select(releases)
        .where(releases.c.state == ReleaseState.PREPARED, releases.c.prepare_time < before)
        .order_by(releases.c.prepare_time)
        .limit(limit)
    )
    return [_release(row) for row in rows]


def oldest_prepared(connection: Connection) -> datetime | None:
    """When the oldest release was prepared that has not ended."""
    row = connection.execute(
        select(releases.c.prepare_time)
        .where(releases.c.state == ReleaseState.PREPARED)
        .order_by(releases.c.prepare_time)
        .limit(1)
    ).one_or_none()
    return None if row is None else row.prepare_time


_FETCHES = text(
    "SELECT site_id, delivery_id, count(*) AS fetches FROM releases "
    "WHERE site_id = :site AND delivery_id = ANY(CAST(:ids AS text[])) AND counted "
    "AND state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN') GROUP BY site_id, delivery_id"
)


def fetches(connection: Connection, site_id: str, delivery_ids: Sequence[str]) -> Mapping[str, int]:
    """How often deliveries were fetched, as far as it counts; those that never were are absent."""
    if not delivery_ids:
        return {}
    rows = connection.execute(_FETCHES, {"site": site_id, "ids": list(delivery_ids)})
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
