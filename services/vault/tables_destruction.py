# SPDX-License-Identifier: Apache-2.0
"""The table of what ends: destructions from their cause to their end."""

from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text

metadata = MetaData()
_TIME = DateTime(timezone=True)

destructions = Table(
    "destructions",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("destruction_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ground", Text, nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("due_time", _TIME, nullable=False),
    Column("end_time", _TIME),
    Column("executed_by", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("entry_id", Text, nullable=False),
    Index("destructions_by_due_time", "site_id", "state", "due_time", "subject_id"),
)
"""`state`: DUE, RESTRICTED (kept by statute until `due_time`) or DONE; `document`: the
certificate. No personal data: ids, times, counts."""

APPEND_ONLY: frozenset[str] = frozenset()
