# SPDX-License-Identifier: Apache-2.0
"""Let keys rotate: what is under way, which keys are retired, and no data key without its epoch."""

from alembic import op

from services.chassis.migration.tables import create
from services.vault.tables_rotation import metadata

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables, and the rules that no race can break."""
    create(metadata, frozenset())
    op.create_foreign_key("data_keys_epoch", "data_keys", "epoch_keys", ["epoch"], ["epoch"])
    op.create_index(
        "one_current_epoch", "epoch_keys", ["current"], unique=True, postgresql_where="current"
    )
    # A rotation walks the rows of one epoch in their order.
    op.create_index("data_keys_by_epoch", "data_keys", ["epoch", "site_id", "owner_id"])
    op.drop_index("ix_data_keys_epoch", "data_keys")
