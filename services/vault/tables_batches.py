# SPDX-License-Identifier: Apache-2.0
"""What a batch has stored: so that its repeat stores nothing twice."""

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text

metadata = MetaData()

stored_items = Table(
    "stored_items",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("batch_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("store_time", DateTime(timezone=True), nullable=False),
)

APPEND_ONLY: frozenset[str] = frozenset()
