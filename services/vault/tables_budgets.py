# SPDX-License-Identifier: Apache-2.0
"""The tables of how many subjects each credential reaches on a day (architecture, section 4)."""

from sqlalchemy import Boolean, Column, Date, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

budget_subjects = Table(
    "budget_subjects",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("mark", LargeBinary, primary_key=True),
)
"""Whom a credential with a budget has reached. `mark` is a keyed digest of the day: it names
nobody, and is forgotten when the day is over."""

budget_days = Table(
    "budget_days",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("subjects", Integer, nullable=False),
)
"""How many they are; locked by whoever adds one."""

volume_days = Table(
    "volume_days",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("subjects", Integer, nullable=False),
    Column("noted", Boolean, nullable=False),
)
"""How many different people each credential was given data of, counted from evidence. `noted`: an
entry says that this was unusual."""
