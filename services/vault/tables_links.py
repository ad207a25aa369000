# SPDX-License-Identifier: Apache-2.0
"""The table of links in force (clause 1.1.5): which visitor points to which account."""

from sqlalchemy import Column, Index, MetaData, Table, Text

metadata = MetaData()

links = Table(
    "links",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("visitor_id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Index("links_by_account", "site_id", "account_id", "visitor_id"),
)
"""Follows from the visitors' consent slices, and is written with them."""

APPEND_ONLY: frozenset[str] = frozenset()
