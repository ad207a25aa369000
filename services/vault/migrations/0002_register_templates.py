# SPDX-License-Identifier: Apache-2.0
"""Create the table of message templates."""

from services.chassis.migration.tables import create
from services.vault.tables_templates import APPEND_ONLY, metadata

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
