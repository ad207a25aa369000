# SPDX-License-Identifier: Apache-2.0
"""Click-through tokens by their digests, and which of them were redeemed (clause 4.1.12)."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()
_TIME = DateTime(timezone=True)

partner_tokens = Table(
    "partner_tokens",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("token_id", Text, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("token_sha256", Text, nullable=False),
    Column("issue_time", _TIME, nullable=False),
    Column("expire_time", _TIME, nullable=False),
    UniqueConstraint("site_id", "token_sha256"),
)
"""One row per token."""

partner_redemptions = Table(
    "partner_redemptions",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("token_id", Text, primary_key=True),
    Column("redemption_id", Text, nullable=False, unique=True),
    Column("principal", Text, nullable=False),
    Column("redeem_time", _TIME, nullable=False),
)
"""At most one row per token: its key is what makes a token work once."""

APPEND_ONLY = frozenset({"partner_tokens", "partner_redemptions"})
