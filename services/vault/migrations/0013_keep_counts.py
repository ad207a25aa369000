# SPDX-License-Identifier: Apache-2.0
"""Create the table of what was counted of people who are depersonalised."""

from services.chassis.migration.tables import create
from services.vault.tables_statistics import metadata

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create it with its privileges."""
    create(metadata, frozenset())
