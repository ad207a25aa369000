# SPDX-License-Identifier: Apache-2.0
"""Count refused credentials beside the entries that stand for them."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migration import grant
from services.chassis.migration.tables import runtime_role

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table that the services have too. Nothing of it is ever deleted, by privilege."""
    op.create_table(
        "refusal_tallies",
        sa.Column("site_id", sa.Text, primary_key=True),
        sa.Column("principal", sa.Text, primary_key=True),
        sa.Column("minute", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("entry_id", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    grant(runtime_role(), "refusal_tallies", ("SELECT", "INSERT", "UPDATE (count)"))
