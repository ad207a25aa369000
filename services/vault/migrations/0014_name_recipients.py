# SPDX-License-Identifier: Apache-2.0
"""Create the table of the names of recipients."""

from services.chassis.migration.tables import create
from services.vault.tables_recipients import metadata

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, frozenset())
