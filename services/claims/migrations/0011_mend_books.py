# SPDX-License-Identifier: Apache-2.0
"""Mark recovered claims, and keep what was put back."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.claims.tables_recovery import metadata

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column and the tables. A database of today has the column from the first on."""
    op.execute(text("ALTER TABLE claims ADD COLUMN IF NOT EXISTS recovery text"))
    create(metadata, frozenset())
