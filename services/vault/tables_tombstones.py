# SPDX-License-Identifier: Apache-2.0
"""Tombstones: who was destroyed, kept beside the keys and not beside the data.

A data database that is set back before a destruction learns of it from here, and no key is ever
made again for whoever has a tombstone.
"""

from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text, text

metadata = MetaData()
_TIME = DateTime(timezone=True)

tombstones = Table(
    "tombstones",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("owner_id", Text, primary_key=True),
    Column("destruction_id", Text, nullable=False),
    Column("end", Text, nullable=False),
    Column("ground", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("kek_id", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("bury_time", _TIME, nullable=False),
    Column("finish_time", _TIME),
    Index(
        "tombstones_unfinished",
        "site_id",
        "owner_id",
        postgresql_where=text("finish_time IS NULL"),
    ),
)
"""`finish_time`: the ciphertexts are gone from the data database too."""

restrictions = Table(
    "restrictions",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("owner_id", Text, primary_key=True),
    Column("destruction_id", Text, nullable=False),
    Column("ground", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("due_time", _TIME, nullable=False),
)
"""Whom a statutory term keeps restricted: no decider could tell a restored data database."""
