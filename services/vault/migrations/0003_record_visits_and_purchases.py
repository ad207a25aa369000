# SPDX-License-Identifier: Apache-2.0
"""Create the tables of visits and purchases."""

from services.chassis.migration.tables import create
from services.vault.tables_records import APPEND_ONLY, metadata

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, APPEND_ONLY)
