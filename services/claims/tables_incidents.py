# SPDX-License-Identifier: Apache-2.0
"""The register of incidents: what happened, whom it affects, who was told, what is claimed (7)."""

from sqlalchemy import Column, Date, DateTime, Index, MetaData, Table, Text, text

metadata = MetaData()

_MOMENT = DateTime(timezone=True)

incidents = Table(
    "incidents",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("intent", Text, nullable=False),
    Column("detect_time", _MOMENT, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
    Column("author", Text, nullable=False),
    Column("due_date", Date, nullable=False),
    Column("due_time", _MOMENT, nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("overdue_time", _MOMENT),
    Column("notice_time", _MOMENT),
    Column("close_time", _MOMENT),
    Index("incidents_by_due_time", "site_id", "due_time", "incident_id"),
    Index(
        "incidents_without_notice",
        "due_time",
        postgresql_where=text("notice_time IS NULL AND overdue_time IS NULL"),
    ),
)

incident_subjects = Table(
    "incident_subjects",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
)

incident_notices = Table(
    "incident_notices",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("notice_id", Text, primary_key=True),
    Column("addressee", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("dispatch_time", _MOMENT, nullable=False),
    Column("authority_request_id", Text),
    Column("author", Text, nullable=False),
    Column("record_time", _MOMENT, nullable=False),
)

exemptions = Table(
    "exemptions",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("exemption_id", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reference_date", Date),
    Column("consent_act_id", Text),
    Column("record_time", _MOMENT, nullable=False),
)
"""What somebody claims of an incident; nothing else is read from it."""

APPEND_ONLY = frozenset({"incident_subjects", "incident_notices", "exemptions"})
