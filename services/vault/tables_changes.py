# SPDX-License-Identifier: Apache-2.0
"""The table of changes of standing that others who hold the data have to hear of."""

from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text

metadata = MetaData()

standing_changes = Table(
    "standing_changes",
    metadata,
    Column("change_id", Text, primary_key=True),
    # The transaction that wrote it: changes are read in this order, and only below the oldest
    # transaction still running, so that one that commits late is never passed over.
    Column("transaction_id", BigInteger, nullable=False),
    Column("site_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("change_time", DateTime(timezone=True), nullable=False),
    Index("standing_changes_in_order", "transaction_id", "change_id"),
)

APPEND_ONLY = frozenset({"standing_changes"})
