# SPDX-License-Identifier: Apache-2.0
"""The tables of what is on its way to the vault, in each database that takes personal data."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()
_MOMENT = DateTime(timezone=True)

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("fetch_time", _MOMENT, nullable=False),
)

sealed_documents = Table(
    "sealed_documents",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("bound_to", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("create_time", _MOMENT, nullable=False),
    Column("next_time", _MOMENT, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered_time", _MOMENT),
    Index(
        "sealed_documents_undelivered",
        "next_time",
        postgresql_where=text("sealed IS NOT NULL"),
    ),
    Index(
        "sealed_documents_by_owner",
        "site_id",
        "owner_id",
        postgresql_where=text("sealed IS NOT NULL"),
    ),
)
"""What is on its way to the vault; `sealed` goes when the vault has them, or can never have."""

TABLES = (sealed_documents, sealing_keys)
APPEND_ONLY: frozenset[str] = frozenset()
