# SPDX-License-Identifier: Apache-2.0
"""The tables of the claims service; what happened is append-only, what stands is not."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from services.chassis.sealed.tables import TABLES

metadata = MetaData()

APPEND_ONLY = frozenset({"claim_subjects", "claim_acts", "verifications", "answers"})

_MOMENT = DateTime(timezone=True)

claims = Table(
    "claims",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("claimant", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("decision", Text),
    Column("language", Text, nullable=False),
    Column("receipt_time", _MOMENT, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
    Column("due_date", Date, nullable=False),
    Column("due_time", _MOMENT, nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("answer_time", _MOMENT),
    Column("filed_by", Text, nullable=False),
    Column("release_time", _MOMENT),
    Column("receipt_awaits", Boolean, nullable=False, server_default="false"),
    Column("authority", Text),
    Column("alarm_time", _MOMENT),
    Column("officer", Text),
    Column("recovery", Text),
    UniqueConstraint("site_id", "number"),
    Index("claims_by_due_date", "site_id", "due_date", "claim_id"),
    Index("claims_by_state", "site_id", "state", "due_date", "claim_id"),
    Index("claims_lapsed", "due_time", postgresql_where=text("state = 'NO_ANSWER'")),
    Index("claims_by_alarm", "alarm_time", postgresql_where=text("alarm_time IS NOT NULL")),
    Index(
        "claims_by_officer",
        "site_id",
        "officer",
        "due_date",
        "claim_id",
        postgresql_where=text("officer IS NOT NULL"),
    ),
)
"""`alarm_time`: when the clock has something to do next; NULL where nothing is waited for.
`recovery`: the book had lost the claim, and whether an officer has described it since; NULL: it
had not."""

claim_numbers = Table(
    "claim_numbers",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
)
"""The last number given per site and local year; its row lock is what leaves no gaps."""

claim_subjects = Table(
    "claim_subjects",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("hold_id", Text, nullable=False),
    Index("claim_subjects_by_claim", "site_id", "claim_id", "position"),
)

claim_acts = Table(
    "claim_acts",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("act_id", Text, nullable=False),
)
"""The acts of a claim, one per subject and step; how far they came stands in `acts`."""

verifications = Table(
    "verifications",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("concluded_by", Text, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("correction_id", Text, nullable=False, unique=True),
    Column("version", Integer),
)
"""A correction that the vault holds staged; `version` is what it made of the data."""

answers = Table(
    "answers",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("dispatch_time", _MOMENT, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
)

sealed_documents, sealing_keys = (table.to_metadata(metadata) for table in TABLES)
"""Texts on their way to the vault, made with the rest of this database."""
