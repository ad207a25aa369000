# SPDX-License-Identifier: Apache-2.0
"""Keep what is personal of a use sealed, until the vault has it."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.chassis.sealed.tables import APPEND_ONLY, metadata

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column and create the tables."""
    # A database of today has it from its first revision on.
    op.execute(text("ALTER TABLE consent_events ADD COLUMN IF NOT EXISTS technical_digest text"))
    create(metadata, APPEND_ONLY)
