# SPDX-License-Identifier: Apache-2.0
"""Count what a credential files on a day."""

from services.chassis.migration.tables import create
from services.claims.tables_flooding import metadata

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the count."""
    create(metadata, frozenset())
