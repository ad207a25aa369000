# SPDX-License-Identifier: Apache-2.0
"""Create the tables of how many subjects each credential reaches on a day."""

from services.chassis.migration.tables import create
from services.vault.tables_budgets import metadata

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, frozenset())
