# SPDX-License-Identifier: Apache-2.0
"""Create the tables of what a block reaches besides its own subject."""

from services.chassis.migration.tables import create
from services.vault.tables_blocks import metadata

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, frozenset())
