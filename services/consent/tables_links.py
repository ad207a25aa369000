# SPDX-License-Identifier: Apache-2.0
"""The links of visitors to accounts, ended ones too, and those on their way (clause 1.1.5)."""

from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text

metadata = MetaData()
_TIME = DateTime(timezone=True)

links = Table(
    "links",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("act_id", Text, primary_key=True),
    Column("slot", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("time", _TIME, nullable=False),
    Column("end_time", _TIME),
    Index("links_by_account", "site_id", "account_id", "time", "act_id"),
)
"""`subject_id` is the visitor; slot: settled or proposed."""

APPEND_ONLY: frozenset[str] = frozenset()
