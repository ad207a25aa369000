# SPDX-License-Identifier: Apache-2.0
"""Keep the terms of recipients, count fetches, name the rule of a refusal, publish receipt keys."""

from alembic import op
from sqlalchemy import text

from services.chassis.migration.tables import create
from services.disclosure.tables_receipts import APPEND_ONLY, metadata

revision = "0003"
down_revision = "0002"

_COLUMNS = (
    ("recipients", "begin_date", "date"),
    ("recipients", "end_date", "date"),
    ("recipients", "contact", "text NOT NULL DEFAULT ''"),
    ("recipients", "certificate_sha256", "text NOT NULL DEFAULT ''"),
    ("recipients", "renewal", "jsonb"),
    ("recipients", "renewed_by", "text NOT NULL DEFAULT ''"),
    ("deliveries", "fetch_limit", "integer NOT NULL DEFAULT 20"),
    ("releases", "counted", "boolean NOT NULL DEFAULT true"),
    ("disclosures", "rule", "text NOT NULL DEFAULT ''"),
    ("disclosures", "ground", "text NOT NULL DEFAULT 'ORDER'"),
)
_LEFT = "state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN')"


def upgrade() -> None:
    """Add the columns and indexes; a database of today has them from its first revision on."""
    for table, name, kind in _COLUMNS:
        op.execute(text(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {kind}"))
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS releases_counted ON releases "
            f"(site_id, delivery_id, prepare_time) WHERE counted AND {_LEFT}"
        )
    )
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS releases_by_subject ON releases "
            f"(site_id, subject_id) WHERE {_LEFT}"
        )
    )
    create(metadata, APPEND_ONLY)
