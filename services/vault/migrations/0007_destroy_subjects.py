# SPDX-License-Identifier: Apache-2.0
"""Create the table of destructions."""

from services.chassis.migration.tables import create
from services.vault.tables_destruction import APPEND_ONLY, metadata

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
