# SPDX-License-Identifier: Apache-2.0
"""Create the key store's tables."""

from services.chassis.migration.tables import create
from services.vault.tables_keys import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, frozenset())
