# SPDX-License-Identifier: Apache-2.0
"""The tables of visits (clause 3.3) and purchases (clause 3.4). Every value is a ciphertext."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()
_TIME = DateTime(timezone=True)

visits = Table(
    "visits",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("visit_id", Text, primary_key=True),
    Column("ip", LargeBinary),
    Column("cookie", LargeBinary),
    Column("user_agent", LargeBinary),
    Column("access_time", LargeBinary),
    Column("page", LargeBinary),
    Column("referrer", LargeBinary),
    Column("groups", LargeBinary, nullable=False),
    Column("salt", LargeBinary),
    Column("store_time", _TIME, nullable=False),
    Index("visits_by_time", "site_id", "store_time"),
)
"""`salt`: of the digests in evidence, for a visit that was a use of the site (clause 2.1).
`groups`: what statistics count the visit under, so that they open nothing else of it."""

purchases = Table(
    "purchases",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("store_time", _TIME, nullable=False),
)

APPEND_ONLY: frozenset[str] = frozenset()
