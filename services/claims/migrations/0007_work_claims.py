# SPDX-License-Identifier: Apache-2.0
"""Create the table of officers' notes and files."""

from services.chassis.migration.tables import create
from services.claims.tables_work import APPEND_ONLY, metadata

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
