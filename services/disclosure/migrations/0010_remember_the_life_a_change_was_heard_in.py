# SPDX-License-Identifier: Apache-2.0
"""Remember in which life of the vault a change was heard: a restored one may not know it."""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; what was heard before was heard in the life that the cursor is of."""
    op.execute(text("ALTER TABLE recalls ADD COLUMN IF NOT EXISTS vault_incarnation text"))
    op.execute(
        text(
            "UPDATE recalls SET vault_incarnation ="
            " coalesce((SELECT vault_incarnation FROM recall_cursor), '')"
            " WHERE vault_incarnation IS NULL"
        )
    )
    op.execute(text("ALTER TABLE recalls ALTER COLUMN vault_incarnation SET NOT NULL"))
