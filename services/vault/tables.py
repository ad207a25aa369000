# SPDX-License-Identifier: Apache-2.0
"""The tables of the vault's database. Every value of a person is a ciphertext."""

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
_TIME = DateTime(timezone=True)

subjects = Table(
    "subjects",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("life", Text, nullable=False),
    Column("data_version", Integer, nullable=False),
    Column("create_time", _TIME, nullable=False),
)

data = Table(
    "data",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("supplier", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("store_time", _TIME, nullable=False),
)
"""The current data; `version` is the subject's data version that wrote the field."""

data_history = Table(
    "data_history",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("end_version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("supplier", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("store_time", _TIME, nullable=False),
    Column("end_time", _TIME, nullable=False),
)
"""What was current before; readable to audit only (clause 6.1.2)."""

blind_index = Table(
    "blind_index",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("key_version", Integer, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Index("blind_index_by_subject", "site_id", "subject_id"),
)

slices = Table(
    "slices",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("incarnation", Integer, nullable=False),
    Column("counter", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("apply_time", _TIME, nullable=False),
    Index(
        "claims_slices_by_incarnation",
        "incarnation",
        "site_id",
        "subject_id",
        postgresql_where=text("topic = 'claims'"),
    ),
)
"""The standing. `digest` is of the slice as pushed, `body` the settled slice."""

proposal_verdicts = Table(
    "proposal_verdicts",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("proposal_id", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decide_time", _TIME, nullable=False),
)
"""What was once decided of a proposal is never decided again; INSERT and SELECT only."""

deciders = Table(
    "deciders",
    metadata,
    Column("decider", Text, primary_key=True),
    Column("highest_incarnation", Integer, nullable=False),
    Column("complete", Boolean, nullable=False),
)
"""`complete`: the decider has pushed every slice to this life of the vault."""

vault_life = Table(
    "vault_life",
    metadata,
    Column("only", Boolean, primary_key=True),
    Column("vault_incarnation", Text, nullable=False),
    Column("database_identity", Text, nullable=False),
    Column("starts", Integer, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("correction_id", Text, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("stage_time", _TIME, nullable=False),
    Column("applied_version", Integer),
    Index("corrections_by_subject", "site_id", "subject_id"),
)

documents = Table(
    "documents",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("bound_to", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("store_time", _TIME, nullable=False),
    Index("documents_by_owner", "site_id", "owner_id"),
)

release_entries = Table(
    "release_entries",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("release_id", Text, primary_key=True),
    Column("entry_id", Text, nullable=False),
)
"""The evidence entry under which data left for a release; INSERT and SELECT only."""

UNTIL_DESTROYED = frozenset({"data_history"})
APPEND_ONLY = frozenset({"release_entries", "proposal_verdicts"})
