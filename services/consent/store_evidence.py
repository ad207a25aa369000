# SPDX-License-Identifier: Apache-2.0
"""SQL of the entries of evidence about acts of consent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import Connection

from services.consent.proof import Record

# The condition on the event is that of the index.
_OF_ACTS = """
SELECT entry_id, body FROM evidence_entries
WHERE ((body::jsonb) -> 'refs' ->> 'act_id') = ANY(:act_ids)
  AND (event LIKE 'consent.%' OR event LIKE 'policy.rejected%')
  AND site_id = :site_id AND record_time <= :known
ORDER BY entry_id
"""


def read_records(
    connection: Connection, site_id: str, act_ids: Collection[str], known: datetime
) -> tuple[Record, ...]:
    """The entries about acts that were there by then, in their order."""
    parameters = {"site_id": site_id, "act_ids": list(act_ids), "known": known}
    rows = connection.execute(text(_OF_ACTS), parameters)
    return tuple(Record(row.entry_id, row.body) for row in rows)
