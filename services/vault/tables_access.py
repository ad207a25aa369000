# SPDX-License-Identifier: Apache-2.0
"""The tables of one-time codes and of the sessions that they opened (clause 6.1.3)."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()
_TIME = DateTime(timezone=True)

access_codes = Table(
    "access_codes",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("code_id", Text, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("locator", Text, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("language", Text, nullable=False),
    Column("contact_digest", LargeBinary),
    Column("letter", LargeBinary),
    Column("letter_time", _TIME),
    Column("create_time", _TIME, nullable=False),
    Column("expire_time", _TIME, nullable=False),
    Index("access_codes_by_subject", "site_id", "subject_id", "create_time"),
    Index("access_codes_by_contact", "site_id", "contact_digest", "create_time"),
    Index("access_codes_by_end", "expire_time"),
    Index("access_codes_to_send", "letter_time"),
)
"""`letter`: code and address under the subject's key until the letter has left, due at
`letter_time`; null for a code that an officer hands over."""

access_sessions = Table(
    "access_sessions",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("code_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("create_time", _TIME, nullable=False),
    Column("expire_time", _TIME, nullable=False),
    Column("end_time", _TIME),
    Index("access_sessions_by_subject", "site_id", "subject_id"),
    Index("access_sessions_by_end", "expire_time"),
)

APPEND_ONLY: frozenset[str] = frozenset()
