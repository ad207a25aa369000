# SPDX-License-Identifier: Apache-2.0
"""SQL of the entries under which data left for a release, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.tables import release_entries


def write_release_entries(connection: Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """(site, release, entry) of data that leave for a release.

    A release that is asked for again keeps its first entry; the evidence has one per departure.
    """
    if rows:
        connection.execute(
            upsert(release_entries).on_conflict_do_nothing(),
            [{"site_id": s, "release_id": r, "entry_id": e} for s, r, e in rows],
        )


def read_release_entry(connection: Connection, site: str, release_id: str) -> str:
    """The entry of a release; empty where the vault gave nothing out for it."""
    row = connection.execute(
        select(release_entries.c.entry_id).filter_by(site_id=site, release_id=release_id)
    ).one_or_none()
    return str(row.entry_id) if row else ""
