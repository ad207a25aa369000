# SPDX-License-Identifier: Apache-2.0
"""Let what is overdue be counted by what is overdue, not by what there is."""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the indexes. A database of today has them from its first revision on."""
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS claims_lapsed ON claims (due_time) "
            "WHERE state = 'NO_ANSWER'"
        )
    )
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS tasks_not_done ON tasks (due_time) WHERE done_time IS NULL"
        )
    )
