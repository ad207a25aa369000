# SPDX-License-Identifier: Apache-2.0
"""The tables of recalls and of the notices that follow from them."""

from sqlalchemy import Boolean, Column, DateTime, Index, MetaData, Table, Text, text

metadata = MetaData()
_TIME = DateTime(timezone=True)

recall_cursor = Table(
    "recall_cursor",
    metadata,
    Column("only", Boolean, primary_key=True),
    Column("vault_incarnation", Text, nullable=False),
    Column("cursor", Text, nullable=False),
)
"""How far the vault's changes of standing have been heard."""

recalls = Table(
    "recalls",
    metadata,
    Column("change_id", Text, primary_key=True),
    Column("site_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("change_time", _TIME, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("vault_incarnation", Text, nullable=False),
    Index("recalls_unsettled", "change_id", postgresql_where=text("NOT settled")),
)
"""A change of standing; settled once no release from before it can still leave.

`vault_incarnation` is the last life of the vault that told of it: one that was
restored from before the change does not.
"""

notices = Table(
    "notices",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("notice_id", Text, primary_key=True),
    Column("change_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("recipient_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("instruction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("create_time", _TIME, nullable=False),
    Column("send_time", _TIME),
    Column("acknowledge_time", _TIME),
    Index("notices_once", "change_id", "delivery_id", unique=True),
    Index("notices_by_recipient", "site_id", "recipient_id", "notice_id"),
    Index("notices_unfetched", "create_time", postgresql_where=text("state = 'OPEN'")),
)
