# SPDX-License-Identifier: Apache-2.0
"""Create the table of what batches have stored."""

from services.chassis.migration.tables import create
from services.vault.tables_batches import APPEND_ONLY, metadata

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
