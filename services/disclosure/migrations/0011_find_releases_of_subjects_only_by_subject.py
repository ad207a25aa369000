# SPDX-License-Identifier: Apache-2.0
"""Let releases be found by the index of their subjects only where a subject is asked for."""

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the index anew: every release has a subject, but not every question names one."""
    op.execute(text("DROP INDEX IF EXISTS releases_by_subject"))
    op.execute(
        text(
            "CREATE INDEX releases_by_subject ON releases (subject_id, site_id)"
            " WHERE state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN')"
            " AND subject_id IS NOT NULL"
        )
    )
