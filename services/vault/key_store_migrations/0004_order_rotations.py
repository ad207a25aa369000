# SPDX-License-Identifier: Apache-2.0
"""Create the table of who ordered a rotation, and how far it has come."""

from services.chassis.migration.tables import create
from services.vault.tables_rotation_orders import metadata

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, frozenset())
