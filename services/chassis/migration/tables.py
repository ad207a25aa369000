# SPDX-License-Identifier: Apache-2.0
"""The tables every service has, created by its first revision, with their privileges."""

from __future__ import annotations

from collections.abc import Sequence

from alembic import context, op
from sqlalchemy import MetaData, text

from services.chassis import evidence, idempotency
from services.chassis.migration import grant

APPEND_ONLY = ("SELECT", "INSERT")
UNTIL_DESTROYED = ("SELECT", "INSERT", "DELETE")
MUTABLE = ("SELECT", "INSERT", "UPDATE", "DELETE")


def runtime_role() -> str:
    """The role that the service runs as."""
    return str(context.config.attributes["runtime_role"])


def create(
    metadata: MetaData,
    append_only: frozenset[str],
    until_destroyed: frozenset[str] = frozenset(),
) -> None:
    """Create the tables of `metadata` and grant them.

    INSERT and SELECT to the append-only ones, DELETE besides to those that
    end with the person, all four to the others.
    """
    metadata.create_all(op.get_bind(), checkfirst=False)
    for table in metadata.sorted_tables:
        privileges: Sequence[str] = APPEND_ONLY if table.name in append_only else MUTABLE
        if table.name in until_destroyed:
            privileges = UNTIL_DESTROYED
        grant(runtime_role(), table.name, privileges)


def create_common() -> None:
    """Evidence, refusal tallies and idempotency keys."""
    create(evidence.metadata, frozenset({"evidence_entries"}))
    create(idempotency.metadata, frozenset())
    op.execute(
        text("CREATE INDEX evidence_by_subject ON evidence_entries (site_id, subject, entry_id)")
    )


def let_evidence_be_read() -> None:
    """What the evidence of one person is read by: an index in time, and how long it is secret."""
    # A database of today has the column from its first revision on.
    op.execute(
        text("ALTER TABLE evidence_entries ADD COLUMN IF NOT EXISTS secret_until timestamptz")
    )
    op.execute(
        text(
            "CREATE INDEX evidence_by_time ON evidence_entries "
            "(site_id, subject, record_time, entry_id)"
        )
    )
    # Nothing reads by (site, subject, entry) alone.
    op.execute(text("DROP INDEX evidence_by_subject"))
