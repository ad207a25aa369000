# SPDX-License-Identifier: Apache-2.0
"""Create the tables of the work between a claim's receipt and its outcome."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.claims.tables_verification import metadata

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create them, and say of every claim how its receipt, authority and block stand."""
    create(metadata, frozenset())
    # A database of today has the columns from its first revision on.
    for column in (
        "release_time timestamptz",
        "receipt_awaits boolean NOT NULL DEFAULT false",
        "authority text",
    ):
        op.execute(text(f"ALTER TABLE claims ADD COLUMN IF NOT EXISTS {column}"))
    op.execute(
        text(
            "UPDATE claims SET authority = 'UNSETTLED' "
            "WHERE claimant = 'REPRESENTATIVE' AND authority IS NULL"
        )
    )
