# SPDX-License-Identifier: Apache-2.0
"""SQL of the entries under which data left for a release, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Text, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
from services.vault.tables import release_entries

_new = given("new", site_id=Text, release_id=Text, entry_id=Text)
_WRITE = Prepared(
    upsert(release_entries)
    .from_select(_new.columns.keys(), select(*_new.columns))
    .on_conflict_do_nothing()
)


def write_release_entries(connection: Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """(site, release, entry) of data that leave for a release.

    A release that is asked for again keeps its first entry; the evidence has one per departure.
    """
    if rows:
        _WRITE.run(
            connection,
            site_id=Texts([site for site, _, _ in rows]),
            release_id=Texts([release for _, release, _ in rows]),
            entry_id=Texts([entry for _, _, entry in rows]),
        )


def read_release_entry(connection: Connection, site: str, release_id: str) -> str:
    """The entry of a release; empty where the vault gave nothing out for it."""
    row = connection.execute(
        select(release_entries.c.entry_id).filter_by(site_id=site, release_id=release_id)
    ).one_or_none()
    return str(row.entry_id) if row else ""
