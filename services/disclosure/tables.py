# SPDX-License-Identifier: Apache-2.0
"""The tables of the broker."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

recipients = Table(
    "recipients",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("recipient_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("legal_name", Text, nullable=False),
    Column("bin", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("register_time", DateTime(timezone=True), nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("begin_date", Date),
    Column("end_date", Date),
    Column("contact", Text, nullable=False, server_default=""),
    Column("certificate_sha256", Text, nullable=False, server_default=""),
    Column("renewal", JSONB),
    Column("renewed_by", Text, nullable=False, server_default=""),
)
"""`renewal`: the terms that wait for another person's activation, by their JSON names."""

orders = Table(
    "orders",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("registration_id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("register_time", DateTime(timezone=True), nullable=False),
    Column("act_id", Text, nullable=False),
    Column("closing", Text),
    Column("close_time", DateTime(timezone=True)),
    Column("close_act_id", Text, nullable=False),
    Column("snapshot", Boolean, nullable=False, server_default="false"),
    Column("message_id", Text, nullable=False, server_default=""),
    Column("sealing_key_id", Text, nullable=False, server_default=""),
    Column("sealed_message", LargeBinary),
    # Indexes begin with what tells rows apart, and hold no part of another key: before a table is
    # counted for the first time, one that does would be taken for that key.
    Index("orders_by_subject", "subject_id", "site_id"),
    Index("orders_by_order_id", "order_id", "site_id"),
    # A refused order was never open: its id may be registered anew.
    Index(
        "orders_one_per_id",
        "site_id",
        "order_id",
        unique=True,
        postgresql_where=text("state <> 'REFUSED'"),
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    Column("registration_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("recipient_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("assign_time", DateTime(timezone=True), nullable=False),
    Column("act_id", Text, nullable=False),
    Column("expire_time", DateTime(timezone=True)),
    Column("ended_time", DateTime(timezone=True)),
    Column("fetch_limit", Integer, nullable=False, server_default="20"),
    Index("deliveries_by_order", "registration_id", "site_id"),
    Index(
        "deliveries_by_recipient",
        "site_id",
        "recipient_id",
        "delivery_id",
        postgresql_where=text("ended_time IS NULL"),
    ),
)

releases = Table(
    "releases",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("release_id", Text, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("recipient_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("prepare_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True)),
    Column("entry_id", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("first_release_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("counted", Boolean, nullable=False, server_default="true"),
    Index(
        "releases_counted",
        "site_id",
        "delivery_id",
        "prepare_time",
        postgresql_where=text(
            "counted AND state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN')"
        ),
    ),
    Index(
        "releases_by_subject",
        "subject_id",
        "site_id",
        # That there is one follows from a subject that is asked for, and from nothing else: while
        # the table is empty, PostgreSQL would read this index for any question at all.
        postgresql_where=text(
            "state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN') AND subject_id IS NOT NULL"
        ),
    ),
    Index(
        "releases_prepared",
        "prepare_time",
        postgresql_where=text("state = 'PREPARED'"),
    ),
    Index(
        "releases_first",
        "site_id",
        "delivery_id",
        "end_time",
        postgresql_where=text(
            "state IN ('RELEASED', 'RELEASED_UNCERTAIN') AND first_release_id = ''"
        ),
    ),
)
"""Every attempt to release, PREPARED before the vault is asked; `entry_id` is the vault's."""

# What may be asked of many releases, in the words of their indexes: a state that is a parameter
# matches none of them, once PostgreSQL keeps the plan.
IS_PREPARED: Final = text("releases.state = 'PREPARED'")
MAY_HAVE_LEFT: Final = text("releases.state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN')")
HAS_LEFT: Final = text("releases.state IN ('RELEASED', 'RELEASED_UNCERTAIN')")

disclosures = Table(
    "disclosures",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("disclosure_id", Text, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("recipient_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("disclose_time", DateTime(timezone=True), nullable=False),
    Column("first_disclosure_id", Text, nullable=False),
    Column("rule", Text, nullable=False, server_default=""),
    Column("ground", Text, nullable=False, server_default="ORDER"),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("secret_until", DateTime(timezone=True)),
    Index("disclosures_by_subject", "site_id", "subject_id", "disclose_time", "disclosure_id"),
)
"""The ledger; INSERT and SELECT only, by privilege.

A line of a state body's request (`request_id`) is told to nobody before `secret_until`.
"""

disclosure_tallies = Table(
    "disclosure_tallies",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    Column("recipient_id", Text, primary_key=True),
    # With the clause and the rule, for each of which a minute has a line of its own.
    Column("reason", Text, primary_key=True),
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("disclosure_id", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Index("disclosure_tallies_by_line", "site_id", "disclosure_id", unique=True),
)
"""How often a refusal was repeated within its minute."""
