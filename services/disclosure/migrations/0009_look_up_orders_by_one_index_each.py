# SPDX-License-Identifier: Apache-2.0
"""Let what is looked up by its key be found by no index but the key's."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

_INDEXES = {
    "orders_by_subject": "orders (subject_id, site_id)",
    "orders_by_order_id": "orders (order_id, site_id)",
    "deliveries_by_order": "deliveries (registration_id, site_id)",
}


def upgrade() -> None:
    """Make the indexes anew, without columns of the key behind those they are read by."""
    for name, columns in _INDEXES.items():
        op.execute(text(f"DROP INDEX IF EXISTS {name}"))
        op.execute(text(f"CREATE INDEX {name} ON {columns}"))
