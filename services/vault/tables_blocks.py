# SPDX-License-Identifier: Apache-2.0
"""The tables of what a block reaches besides its own subject (clause 6.2.3)."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()
_TIME = DateTime(timezone=True)

watched_blocks = Table(
    "watched_blocks",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("ground", Text, nullable=False),
    Column("searched", Boolean, nullable=False),
    Column("next_time", _TIME, nullable=False),
    Index("watched_blocks_to_search", "next_time", postgresql_where=text("NOT searched")),
)
"""The open blocks of claims, whose subjects' contacts are looked for: `searched` among those there
are, and from the block on in everything that is placed. A row goes with the block's outcome."""

provisional_blocks = Table(
    "provisional_blocks",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("origin_subject_id", Text, nullable=False),
    Column("block_time", _TIME, nullable=False),
    Column("known", Boolean, nullable=False),
    Index("provisional_blocks_by_origin", "site_id", "origin_subject_id"),
    Index(
        "provisional_blocks_unknown",
        "site_id",
        "subject_id",
        "claim_id",
        postgresql_where=text("NOT known"),
    ),
)
"""Blocks that the vault made itself. They stand in the subject's claims slice; `known`: the claims
service has pushed them as its own."""

interims = Table(
    "interims",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("since_time", _TIME, nullable=False),
    Column("until_time", _TIME, nullable=False),
    Column("acts", Integer, nullable=False),
)
"""Between the receipt of a claim and its block: the span of evidence that tells what was done."""
