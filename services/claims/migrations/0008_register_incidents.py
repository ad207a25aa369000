# SPDX-License-Identifier: Apache-2.0
"""Create the register of incidents."""

from services.chassis.migration.tables import create
from services.claims.tables_incidents import APPEND_ONLY, metadata

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, APPEND_ONLY)
