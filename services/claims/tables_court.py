# SPDX-License-Identifier: Apache-2.0
"""The tables of what follows the answer, and of a claim's entries of evidence."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text

metadata = MetaData()

claim_ends = Table(
    "claim_ends",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("recorded_by", Text, nullable=False),
    Column("record_time", DateTime(timezone=True), nullable=False),
)
"""How a dispute went on: AGREED, COURT, CLOSED; each once."""

claim_entries = Table(
    "claim_entries",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("entry_id", Text, primary_key=True),
)
"""The entries of evidence that speak of a claim, by which a court is shown all of them."""

APPEND_ONLY = frozenset({"claim_ends", "claim_entries"})
