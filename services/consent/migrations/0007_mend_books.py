# SPDX-License-Identifier: Apache-2.0
"""Let a history hold what the vault carried over for a book that had forgotten it."""

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns."""
    for name in ("carried_time", "carried_end_time"):
        # A database of today has them from its first revision on.
        op.execute(text(f"ALTER TABLE consent_events ADD COLUMN IF NOT EXISTS {name} timestamptz"))
