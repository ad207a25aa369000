# SPDX-License-Identifier: Apache-2.0
"""The table behind the limit of what one credential may file on a day (clause 6.2.3)."""

from sqlalchemy import Column, Date, Integer, MetaData, Table, Text

metadata = MetaData()

filed_subjects = Table(
    "filed_subjects",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("filed_by", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("count", Integer, nullable=False),
)
"""How many subjects a credential's claims of a local day have named; one that names none is one."""
