# SPDX-License-Identifier: Apache-2.0
"""The table of what was counted of people who are depersonalised (clause 3.3.2)."""

from sqlalchemy import CheckConstraint, Column, Date, Integer, MetaData, Table, Text

metadata = MetaData()

depersonalised_visits = Table(
    "depersonalised_visits",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column(
        "kind", Text, CheckConstraint("kind IN ('DAY', 'BROWSER', 'NETWORK')"), primary_key=True
    ),
    Column("name", Text, primary_key=True),
    Column("visits", Integer, nullable=False),
    Column("visitors", Integer, nullable=False),
    CheckConstraint("0 < visitors AND visitors <= visits", name="depersonalised_visits_count"),
)
"""How many visits of how many people a group of a day had: browsers and networks apart, so that no
row tells of one visit. Nothing tells whose they were, nor when they were added."""
