# SPDX-License-Identifier: Apache-2.0
"""Let an order go to the address of its placing, and carry a sealed message."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.chassis.sealed.tables import metadata

revision = "0004"
down_revision = "0003"

_COLUMNS = {
    "snapshot": "boolean NOT NULL DEFAULT false",
    "message_id": "text NOT NULL DEFAULT ''",
    "sealing_key_id": "text NOT NULL DEFAULT ''",
    "sealed_message": "bytea",
}


def upgrade() -> None:
    """Add the columns; a database of today has them from its first revision on."""
    for name, kind in _COLUMNS.items():
        op.execute(text(f"ALTER TABLE orders ADD COLUMN IF NOT EXISTS {name} {kind}"))
    create(metadata, frozenset())
