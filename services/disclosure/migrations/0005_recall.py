# SPDX-License-Identifier: Apache-2.0
"""Create the tables of recalls and notices."""

from services.chassis.migration.tables import create
from services.disclosure.tables_notices import metadata

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create them with their privileges."""
    create(metadata, frozenset())
