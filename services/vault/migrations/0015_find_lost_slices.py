# SPDX-License-Identifier: Apache-2.0
"""Let the slices that a book has lost be found by what is lost, not by what there is."""

from alembic import op
from sqlalchemy import text

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the index. A database of today has it from its first revision on."""
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS claims_slices_by_incarnation ON slices "
            "(incarnation, site_id, subject_id) WHERE topic = 'claims'"
        )
    )
