# SPDX-License-Identifier: Apache-2.0
"""The tables of written answers: the letter, its way by e-mail, the national signature."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()

_MOMENT = DateTime(timezone=True)

answer_letters = Table(
    "answer_letters",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("write_time", _MOMENT, nullable=False),
)
"""A letter as it was written and signed; its bytes lie in the vault as `document_id`."""

answer_sendings = Table(
    "answer_sendings",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("address_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_time", _MOMENT, nullable=False),
    Index("answer_sendings_due", "next_time", postgresql_where=text("state = 'UNDER_WAY'")),
)
"""The way of a letter by e-mail, to the sealed address `address_id`."""

national_signatures = Table(
    "national_signatures",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("cms", LargeBinary, nullable=False),
    Column("attached_by", Text, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
)

reply_channels = Table(
    "reply_channels",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("document_id", Text, nullable=False),
)
"""Claims whose sealed reply address `document_id` is an e-mail address."""

APPEND_ONLY = frozenset({"answer_letters", "national_signatures", "reply_channels"})
