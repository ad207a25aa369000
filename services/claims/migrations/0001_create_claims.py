# SPDX-License-Identifier: Apache-2.0
"""The book of record of claims, its documents on their way, and the push protocol's tables."""

from services.chassis import pseudonym
from services.chassis.decider import tables as decider_tables
from services.chassis.migration import tables as migration_tables
from services.claims import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    migration_tables.create_common()
    migration_tables.create(decider_tables.metadata, append_only=frozenset())
    migration_tables.create(pseudonym.metadata, append_only=frozenset())
    migration_tables.create(tables.metadata, append_only=tables.APPEND_ONLY)
