# SPDX-License-Identifier: Apache-2.0
"""Create the tables of one-time codes and of the sessions that they open."""

from services.chassis.migration.tables import create
from services.vault.tables_access import APPEND_ONLY, metadata

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, APPEND_ONLY)
