# SPDX-License-Identifier: Apache-2.0
"""Watch the terms of claims, and keep whom a claim is assigned to."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.claims.tables_clock import metadata

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the notices, and set the clock of every claim that waits for its answer."""
    create(metadata, frozenset())
    # A database of today has the columns and indexes from its first revision on.
    for column in ("alarm_time timestamptz", "officer text"):
        op.execute(text(f"ALTER TABLE claims ADD COLUMN IF NOT EXISTS {column}"))
    op.execute(
        text(
            "UPDATE claims SET alarm_time = due_time - interval '11 days' "
            "WHERE state IN ('RECEIVED', 'VERIFIED', 'ANSWER_WRITTEN')"
        )
    )
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS claims_by_alarm ON claims (alarm_time) "
            "WHERE alarm_time IS NOT NULL"
        )
    )
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS claims_by_officer "
            "ON claims (site_id, officer, due_date, claim_id) WHERE officer IS NOT NULL"
        )
    )
