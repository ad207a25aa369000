# SPDX-License-Identifier: Apache-2.0
"""The tables of the work between a claim's receipt and its outcome (clause 6.2.3)."""

from sqlalchemy import Column, Date, DateTime, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()
_MOMENT = DateTime(timezone=True)

same_contacts = Table(
    "same_contacts",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since_time", _MOMENT, nullable=False),
    Column("block_time", _MOMENT, nullable=False),
    Column("settled_by", Text),
    Column("settle_time", _MOMENT),
    Index("same_contacts_by_claim", "site_id", "claim_id"),
)
"""Subjects that the vault blocked with a claim's; one that was CONFIRMED the claim names itself."""

receipt_times = Table(
    "receipt_times",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("receipt_time", _MOMENT, nullable=False),
    Column("due_date", Date, nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
    Column("confirmed_by", Text),
    Column("confirm_time", _MOMENT),
)
"""Every time of receipt that was entered for a claim; the last is the one that runs, or waits."""

authorities = Table(
    "authorities",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("document", Text),
    Column("issue_date", Date),
    Column("expiry_date", Date),
    Column("settled_by", Text),
    Column("settle_time", _MOMENT),
)

lifts = Table(
    "lifts",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("proposed_by", Text, nullable=False),
    Column("propose_time", _MOMENT, nullable=False),
    Column("approved_by", Text),
    Column("approve_time", _MOMENT),
)
"""Blocks that are to end before their verification has an outcome."""

tasks = Table(
    "tasks",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("claim_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("due_date", Date, nullable=False),
    Column("due_time", _MOMENT, nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("create_time", _MOMENT, nullable=False),
    Column("done_time", _MOMENT),
    Index("tasks_by_due_date", "site_id", "due_date", "claim_id", "subject_id", "kind"),
    Index("tasks_not_done", "due_time", postgresql_where=text("done_time IS NULL")),
    Index(
        "tasks_to_do",
        "site_id",
        "due_date",
        "claim_id",
        "subject_id",
        "kind",
        postgresql_where=text("done_time IS NULL"),
    ),
)
"""What an officer has to do by a day; subject "" where it concerns the claim as a whole."""
