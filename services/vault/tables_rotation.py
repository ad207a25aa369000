# SPDX-License-Identifier: Apache-2.0
"""The tables of the key store that tell how far its keys are rotated."""

from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Table, Text, text

metadata = MetaData()
_TIME = DateTime(timezone=True)

keks = Table(
    "keks",
    metadata,
    Column("kek_id", Text, primary_key=True),
    Column("first_use_time", _TIME, nullable=False),
    Column("retire_time", _TIME),
    Column("destroy_time", _TIME),
)
"""Every KEK that ever wrapped a key here. `retire_time`: it may wrap nothing more, and nothing is
wrapped by it; `destroy_time`: the provider has destroyed it."""

key_rotations = Table(
    "key_rotations",
    metadata,
    Column("rotation_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("site_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("rewrapped", BigInteger, nullable=False),
    Column("begin_time", _TIME, nullable=False),
    Column("end_time", _TIME),
    # At most one is under way.
    Index(
        "one_rotation_at_once",
        text("(true)"),
        unique=True,
        postgresql_where=text("end_time IS NULL"),
    ),
)
"""`target`: the new KEK, epoch or index-key version; empty until it is made."""
