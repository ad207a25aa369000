# SPDX-License-Identifier: Apache-2.0
"""SQL of what a release gave out, for one that repeats it, in the caller's transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.engine import Connection

from services.chassis.evidence import entries
from services.vault.tables import release_entries


@dataclass(frozen=True, slots=True)
class FormerRead:
    """The names of the data that a release gave out, and when they were read."""

    fields: frozenset[str]
    read_time: datetime


def former_read(
    connection: Connection, site: str, request_id: str, release_id: str
) -> FormerRead | None:
    """What left for a release of this state body's request; None where nothing did."""
    row = connection.execute(
        select(entries.c.record_time, entries.c.body)
        .join(release_entries, release_entries.c.entry_id == entries.c.entry_id)
        .where(release_entries.c.site_id == site, release_entries.c.release_id == release_id)
    ).one_or_none()
    if row is None:
        return None
    body = json.loads(row.body)
    if body["refs"].get("request_id") != request_id:
        return None
    # Where there were no data of what was approved the entry names none.
    return FormerRead(frozenset(body["decidedOn"].get("fields", ())), row.record_time)
