# SPDX-License-Identifier: Apache-2.0
"""Keep links of visitors to accounts."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.consent.tables_links import APPEND_ONLY, metadata

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns and create the table."""
    for name in ("account_id", "link_fault", "link_reference"):
        # A database of today has them from its first revision on.
        op.execute(text(f"ALTER TABLE consent_events ADD COLUMN IF NOT EXISTS {name} text"))
    create(metadata, APPEND_ONLY)
