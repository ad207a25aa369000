# SPDX-License-Identifier: Apache-2.0
"""Let keys carry the role PARTNER (clause 4.1.12)."""

from alembic import op

revision = "0002"
down_revision = "0001"

_NAME = "credentials_role"


def upgrade() -> None:
    """Widen the check of the roles."""
    op.drop_constraint(_NAME, "credentials", type_="check")
    op.create_check_constraint(
        _NAME, "credentials", "role IN ('STOREFRONT', 'RECIPIENT', 'PARTNER')"
    )
