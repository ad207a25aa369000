# SPDX-License-Identifier: Apache-2.0
"""Create the table of links in force."""

from services.chassis.migration.tables import create
from services.vault.tables_links import APPEND_ONLY, metadata

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
