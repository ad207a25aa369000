# SPDX-License-Identifier: Apache-2.0
"""Recipients, orders, deliveries, releases and the ledger."""

from services.chassis import pseudonym
from services.chassis.decider import tables as decider_tables
from services.chassis.migration.tables import create, create_common
from services.disclosure import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything the broker keeps."""
    create_common()
    create(decider_tables.metadata, frozenset())
    create(pseudonym.metadata, frozenset())
    create(tables.metadata, frozenset({"disclosures"}))
