# SPDX-License-Identifier: Apache-2.0
"""Create the table of changes of standing."""

from services.chassis.migration.tables import create
from services.vault.tables_changes import APPEND_ONLY, metadata

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
