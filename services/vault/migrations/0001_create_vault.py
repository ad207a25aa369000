# SPDX-License-Identifier: Apache-2.0
"""Create the vault's tables."""

from services.chassis.migration.tables import create, create_common
from services.vault.tables import APPEND_ONLY, UNTIL_DESTROYED, metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them with their privileges."""
    create_common()
    create(metadata, APPEND_ONLY, UNTIL_DESTROYED)
