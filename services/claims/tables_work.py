# SPDX-License-Identifier: Apache-2.0
"""The table of what officers add to a claim: notes and files, without their words and bytes."""

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text

metadata = MetaData()

claim_papers = Table(
    "claim_papers",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("media_type", Text),
    Column("size", Integer, nullable=False),
    Column("author", Text, nullable=False),
    Column("record_time", DateTime(timezone=True), nullable=False),
)
"""`media_type` is what a file's first bytes say; NULL for a note."""

APPEND_ONLY = frozenset({"claim_papers"})
