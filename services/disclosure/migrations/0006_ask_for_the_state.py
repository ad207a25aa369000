# SPDX-License-Identifier: Apache-2.0
"""Keep state bodies, their requests and what was given to them; let lines be secret (5.3)."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.disclosure.tables_authorities import metadata

revision = "0006"
down_revision = "0005"

_COLUMNS = {"request_id": "text NOT NULL DEFAULT ''", "secret_until": "timestamptz"}


def upgrade() -> None:
    """Add tables and columns; a database of today has the columns from its first revision on."""
    for name, kind in _COLUMNS.items():
        op.execute(text(f"ALTER TABLE disclosures ADD COLUMN IF NOT EXISTS {name} {kind}"))
    create(metadata, frozenset())
