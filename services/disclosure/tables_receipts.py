# SPDX-License-Identifier: Apache-2.0
"""The table of the public keys that receipts were ever signed with."""

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table, Text

metadata = MetaData()

receipt_keys = Table(
    "receipt_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("first_use_time", DateTime(timezone=True), nullable=False),
)

APPEND_ONLY = frozenset({"receipt_keys"})
