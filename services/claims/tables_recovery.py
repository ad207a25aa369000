# SPDX-License-Identifier: Apache-2.0
"""The tables of what was put back into a book that was set back (clause 6.2.3)."""

from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text

metadata = MetaData()
_MOMENT = DateTime(timezone=True)

mended_outcomes = Table(
    "mended_outcomes",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
)
"""Outcomes that the vault had of a conclusion which the book has lost."""

mendings = Table(
    "mendings",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("next_time", _MOMENT, nullable=False),
    Index("mendings_due", "next_time"),
)
"""Claims whose documents the vault has still to be asked for, and whose other subjects' slices have
still to say what was put back."""
