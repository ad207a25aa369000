# SPDX-License-Identifier: Apache-2.0
"""The table of the names of recipients and state bodies."""

from sqlalchemy import Column, MetaData, Table, Text

metadata = MetaData()

named_recipients = Table(
    "named_recipients",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("recipient_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("legal_name", Text, nullable=False),
    Column("bin", Text, nullable=False),
)
"""A copy of what the broker keeps; it is told again and again, so none has to be restored."""
