# SPDX-License-Identifier: Apache-2.0
"""Let nothing but a subject's releases be looked up by the index of subjects."""

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Turn the index round: by the site alone, of which there is one, it reads every release."""
    op.execute(text("DROP INDEX IF EXISTS releases_by_subject"))
    op.execute(
        text(
            "CREATE INDEX releases_by_subject ON releases (subject_id, site_id) "
            "WHERE state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN')"
        )
    )
