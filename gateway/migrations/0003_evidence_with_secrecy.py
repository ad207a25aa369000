# SPDX-License-Identifier: Apache-2.0
"""The evidence has the form that it has everywhere: an entry can be secret until a time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("evidence_entries", sa.Column("secret_until", sa.DateTime(timezone=True)))
