# SPDX-License-Identifier: Apache-2.0
"""SQL of the names of recipients."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.recipients import NamedRecipient, Names
from services.vault.tables_recipients import named_recipients


def name(connection: Connection, told: Sequence[NamedRecipient]) -> None:
    """Keep what is told; the last word on an id stands."""
    # In one order everywhere, so that two that tell the same do not wait for each other.
    told = sorted(told, key=lambda each: (each.site, each.recipient_id))
    rows = {
        (each.site, each.recipient_id): {
            "site_id": each.site,
            "recipient_id": each.recipient_id,
            "kind": each.kind,
            "legal_name": each.legal_name,
            "bin": each.bin,
        }
        for each in told
    }
    statement = upsert(named_recipients)
    changed = {column: statement.excluded[column] for column in ("kind", "legal_name", "bin")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["site_id", "recipient_id"], set_=changed),
        list(rows.values()),
    )


def named(connection: Connection, site: str, ids: Collection[str]) -> Names:
    """Those of the ids of a site that were told of."""
    if not ids:
        return {}
    n = named_recipients.c
    rows = connection.execute(
        select(named_recipients).where(n.site_id == site, n.recipient_id.in_(sorted(ids)))
    )
    return {
        row.recipient_id: NamedRecipient(
            row.site_id, row.recipient_id, row.kind, row.legal_name, row.bin
        )
        for row in rows
    }
