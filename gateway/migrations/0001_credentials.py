# SPDX-License-Identifier: Apache-2.0
"""API keys and the evidence of their changes.

Written out, not taken from the code: a revision must do the same whenever it is run.
"""

import sqlalchemy as sa
from alembic import op

from services.chassis.migration import grant
from services.chassis.migration.tables import APPEND_ONLY, runtime_role

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create both tables. The runtime role may add rows, and of a key set the end alone."""
    op.create_table(
        "credentials",
        sa.Column("credential_id", sa.Text, primary_key=True),
        sa.Column("principal_id", sa.Text, nullable=False, index=True),
        sa.Column("site_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("purposes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("recipient_id", sa.Text, nullable=False),
        sa.Column("token_sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True)),
        sa.Column("revoke_time", sa.DateTime(timezone=True)),
        sa.CheckConstraint("role IN ('STOREFRONT', 'RECIPIENT')", name="credentials_role"),
        sa.CheckConstraint("octet_length(token_sha256) = 32", name="credentials_digest"),
    )
    op.create_table(
        "evidence_entries",
        sa.Column("entry_id", sa.Text, primary_key=True),
        sa.Column("site_id", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("record_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    grant(runtime_role(), "credentials", (*APPEND_ONLY, "UPDATE (revoke_time)"))
    grant(runtime_role(), "evidence_entries", APPEND_ONLY)
