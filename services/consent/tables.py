# SPDX-License-Identifier: Apache-2.0
"""The tables of the consent database. No personal data: pseudonymous ids, digests, times."""

from sqlalchemy import (
    BigInteger,
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
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()
_TIME = DateTime(timezone=True)

policies = Table(
    "policies",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("publish_time", _TIME, nullable=False),
    Column("effective_time", _TIME, nullable=False),
    Column("prevailing_language", Text, nullable=False),
    Column("material_purposes", ARRAY(Text), nullable=False),
    Column("act_id", Text, nullable=False, unique=True),
    Column("publication_id", Text, nullable=False, unique=True),
    UniqueConstraint("site_id", "effective_time"),
)
"""One row per published version, for ever; `publication_id` names the request."""

policy_texts = Table(
    "policy_texts",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""The canonical texts of a version."""

subjects = Table(
    "subjects",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("register_time", _TIME, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("last_time", _TIME, nullable=False),
)
"""How many events a subject has and when the last one was."""

agreements = Table(
    "agreements",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("policy_sha256", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("strength", Text),
    Column("time", _TIME, nullable=False),
    Column("act_id", Text, nullable=False),
    Index("agreements_by_version", "site_id", "slot", "policy_version", "subject_id"),
)
"""What stands of a subject's agreement; slot: accepted, proposed or disagreement."""

consents = Table(
    "consents",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("act_id", Text, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("time", _TIME, nullable=False),
    Column("language", Text, nullable=False),
    Column("wording_sha256", Text, nullable=False),
    Column("expire_time", _TIME),
    Column("withdraw_time", _TIME),
)
"""What stands of a subject's express consents; slot: standing, proposed or refused."""

wordings = Table(
    "wordings",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("wording", Text, nullable=False),
)
"""The exact wordings that persons agreed to, each once per site."""

events = Table(
    "consent_events",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("time", _TIME, nullable=False),
    Column("principal", Text, nullable=False),
    Column("act_id", Text, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("policy_sha256", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("wording_sha256", Text, nullable=False),
    Column("expire_time", _TIME),
    Column("use_kind", Text),
    Column("page_digest", Text),
    Column("notice_shown", Boolean),
    Column("client_time", _TIME),
    Column("technical_digest", Text),
    Column("declarant", Text),
    Column("declare_time", _TIME),
    Column("authority_kind", Text),
    Column("authority_reference", Text),
    Column("authority_sha256", Text),
    Column("authority_issue_date", Date),
    Column("authority_end_date", Date),
    Column("paper_reference", Text),
    Column("paper_sha256", Text),
    Column("account_id", Text),
    Column("link_fault", Text),
    Column("link_reference", Text),
    Column("carried_time", _TIME),
    Column("carried_end_time", _TIME),
)
"""Everything that happened to a subject, 1, 2, 3 …; `subjects` and the current rows follow."""

APPEND_ONLY = frozenset({"policies", "policy_texts", "wordings", "consent_events"})
