# SPDX-License-Identifier: Apache-2.0
"""The tables of the push protocol on the decider's side."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

slices = Table(
    "slices",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("incarnation", Integer, nullable=False),
    Column("counter", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""The present slice as it is pushed."""

acts = Table(
    "acts",
    metadata,
    Column("act_id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("site_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("counter", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("proposal", Boolean, nullable=False),
    Column("enforcement", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("record_time", DateTime(timezone=True), nullable=False),
    Column("in_force_time", DateTime(timezone=True)),
)
Index(
    "acts_pending",
    acts.c.topic,
    acts.c.site_id,
    acts.c.subject_id,
    postgresql_where=acts.c.enforcement == "PENDING",
)
"""Every recorded act and how far it has come."""

outbox = Table(
    "outbox",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("next_time", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("resync", Boolean, nullable=False),
    Index("outbox_due", "next_time"),
    Index("outbox_resync", "topic", postgresql_where=text("resync")),
)
"""The slices that the vault has not confirmed, one row each."""

decider_state = Table(
    "decider_state",
    metadata,
    Column("only", Boolean, primary_key=True),
    Column("incarnation", Integer, nullable=False),
    Column("vault_incarnation", Text, nullable=False),
    Column("database_identity", Text, nullable=False),
    Column("resynced", Boolean, nullable=False),
)
"""The decider's life and the vault life it speaks to; one row."""
