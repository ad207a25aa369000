# SPDX-License-Identifier: Apache-2.0
"""Create the tables of what follows the answer."""

from services.chassis.migration.tables import create
from services.claims.tables_court import APPEND_ONLY, metadata

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, APPEND_ONLY)
