# SPDX-License-Identifier: Apache-2.0
"""Create the tables of written answers."""

from services.chassis.migration.tables import create
from services.claims.tables_answers import APPEND_ONLY, metadata

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, APPEND_ONLY)
