# SPDX-License-Identifier: Apache-2.0
"""Let a key say how many different people it may reach on a day."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Keys of before have no limit."""
    op.add_column(
        "credentials",
        sa.Column("daily_subjects", sa.Integer, nullable=False, server_default="0"),
    )
