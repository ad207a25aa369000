# SPDX-License-Identifier: Apache-2.0
"""The table of registered message templates (clause 4.1.3)."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

templates = Table(
    "templates",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("template_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("texts", JSONB, nullable=False),
    Column("register_time", DateTime(timezone=True), nullable=False),
)
"""`texts`: {language: SHA-256 of the text}. INSERT and SELECT only: a template never changes."""

APPEND_ONLY = frozenset({"templates"})
