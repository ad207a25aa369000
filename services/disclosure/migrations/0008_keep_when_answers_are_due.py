# SPDX-License-Identifier: Apache-2.0
"""Keep by when a state body wants its answer; find what is overdue."""

from alembic import op
from sqlalchemy import text

revision = "0008"
down_revision = "0007"

_REQUESTS, _NOTICES = "authority_requests", "notices"
_OWED = "state IN ('PENDING', 'APPROVED', 'HELD', 'READY')"


def upgrade() -> None:
    """Add the columns; what was entered before was due when it lapses.

    A database of today has columns and indexes from its first revision on.
    """
    for name, kind in {
        "due_date": "date",
        "due_time": "timestamptz",
        "due_calendar": "text",
    }.items():
        op.execute(text(f"ALTER TABLE {_REQUESTS} ADD COLUMN IF NOT EXISTS {name} {kind}"))
    op.execute(
        text(
            "UPDATE authority_requests SET due_time = expire_time, due_calendar = '', "
            "due_date = (expire_time AT TIME ZONE INTERVAL '+05:00')::date "
            "WHERE due_time IS NULL"
        )
    )
    for name in ("due_date", "due_time", "due_calendar"):
        op.execute(text(f"ALTER TABLE {_REQUESTS} ALTER COLUMN {name} SET NOT NULL"))
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS authority_requests_owed "
            f"ON {_REQUESTS} (due_time) WHERE {_OWED}"
        )
    )
    op.execute(
        text(
            "CREATE INDEX IF NOT EXISTS notices_unfetched "
            f"ON {_NOTICES} (create_time) WHERE state = 'OPEN'"
        )
    )
