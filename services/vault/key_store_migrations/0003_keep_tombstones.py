# SPDX-License-Identifier: Apache-2.0
"""Keep tombstones in the key store."""

from services.chassis.migration.tables import create
from services.vault.tables_tombstones import metadata

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table with its privileges."""
    create(metadata, frozenset())
