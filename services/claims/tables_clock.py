# SPDX-License-Identifier: Apache-2.0
"""The table of what the clock of claims tells, and to whom (clause 8.2)."""

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

_MOMENT = DateTime(timezone=True)

claim_notices = Table(
    "claim_notices",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("address_id", Text),
    Column("attempts", Integer, nullable=False),
    Column("next_time", _MOMENT, nullable=False),
    Column("create_time", _MOMENT, nullable=False),
    Column("channel", Text),
    Column("dispatch_time", _MOMENT),
    Index("claim_notices_due", "next_time", postgresql_where=text("state = 'UNDER_WAY'")),
)
"""`address_id` is the claimant's sealed e-mail address; NULL: to the officers, or not by e-mail."""
