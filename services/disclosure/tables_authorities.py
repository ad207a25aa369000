# SPDX-License-Identifier: Apache-2.0
"""The tables of state bodies, their requests, and what was given to them (clause 5.3)."""

from typing import Final

from sqlalchemy import Boolean, Column, Date, DateTime, Index, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()
_MOMENT = DateTime(timezone=True)

authorities = Table(
    "authorities",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("authority_id", Text, primary_key=True),
    Column("legal_name", Text, nullable=False),
    Column("bin", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("register_time", _MOMENT, nullable=False),
    Column("registered_by", Text, nullable=False),
)

authority_requests = Table(
    "authority_requests",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("authority_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("ground_kind", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("article", Text, nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("document_kind", Text, nullable=False),
    Column("document_number", Text, nullable=False),
    Column("document_date", Date, nullable=False),
    Column("document_sha256", Text, nullable=False),
    Column("categories", ARRAY(Text), nullable=False),
    Column("approved", ARRAY(Text), nullable=False),
    Column("due_date", Date, nullable=False),
    Column("due_time", _MOMENT, nullable=False),
    Column("due_calendar", Text, nullable=False),
    Column("expire_time", _MOMENT, nullable=False),
    Column("secret_until", _MOMENT),
    Column("state", Text, nullable=False),
    Column("submitted_by", Text, nullable=False),
    Column("submit_time", _MOMENT, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decide_time", _MOMENT),
    Column("released_by", Text, nullable=False),
    Column("compelled", Boolean, nullable=False),
    Column("official_id", Text, nullable=False),
    Column("text_id", Text, nullable=False),
    Column("code_sha256", Text, nullable=False),
    Column("code_expire_time", _MOMENT),
    Column("pick_up_time", _MOMENT),
    Column("disputed_since", _MOMENT),
    Index("authority_requests_by_time", "site_id", "submit_time", "request_id"),
    Index(
        "authority_requests_owed",
        "due_time",
        postgresql_where=text("state IN ('PENDING', 'APPROVED', 'HELD', 'READY')"),
    ),
    Index(
        "authority_requests_by_code",
        "code_sha256",
        unique=True,
        postgresql_where=text("code_sha256 <> ''"),
    ),
)
"""`official_id` and `text_id` are documents of the vault, under the request's own key."""

authority_releases = Table(
    "authority_releases",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("release_id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("authority_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("prepare_time", _MOMENT, nullable=False),
    Column("end_time", _MOMENT),
    Column("entry_id", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("package_sha256", Text, nullable=False),
    Column("first_release_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("authority_releases_by_request", "site_id", "request_id", "prepare_time"),
    Index(
        "authority_releases_prepared",
        "prepare_time",
        postgresql_where=text("state = 'PREPARED'"),
    ),
)
"""Every attempt to give a package, PREPARED before the vault is asked; `entry_id` is the vault's.

Of the package itself its digest is kept and nothing else.
"""

# In the words of the index: a state that is a parameter does not match it, once a plan is kept.
IS_PREPARED: Final = text("authority_releases.state = 'PREPARED'")
