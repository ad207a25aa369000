# SPDX-License-Identifier: Apache-2.0
"""The table of the key store that tells who ordered a rotation, and how much there is to do."""

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

metadata = MetaData()

rotation_orders = Table(
    "rotation_orders",
    metadata,
    Column("rotation_id", Text, primary_key=True),
    Column("site_id", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
)
"""`site_id` is where the one who ordered has the role; empty for the schedule. `total` counts the
rows moved and to be moved, `failed` those that do not open."""
