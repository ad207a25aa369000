# SPDX-License-Identifier: Apache-2.0
"""Create the consent service's tables."""

from services.chassis import pseudonym
from services.chassis.decider import tables as decider_tables
from services.chassis.migration.tables import create, create_common
from services.consent.tables import APPEND_ONLY, metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them with their privileges."""
    create_common()
    create(pseudonym.metadata, frozenset())
    create(decider_tables.metadata, frozenset())
    create(metadata, APPEND_ONLY)
