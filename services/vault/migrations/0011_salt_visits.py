# SPDX-License-Identifier: Apache-2.0
"""Keep with a visit what the digests of its use in evidence are salted with."""

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    # A database of today has it from its first revision on.
    op.execute(text("ALTER TABLE visits ADD COLUMN IF NOT EXISTS salt bytea"))
