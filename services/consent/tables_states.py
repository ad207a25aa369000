# SPDX-License-Identifier: Apache-2.0
"""What stood when: a row whenever an event changed what stands, so that no past is told again.

Two times per row. `record_time` is when it became known; `valid_time` since when it holds, which
for a paper that was entered later lies before. A state at a time as known at a time is the last
row before both, found by one descent of an index.
"""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text

metadata = MetaData()
_TIME = DateTime(timezone=True)

consent_states = Table(
    "consent_states",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("record_time", _TIME, nullable=False),
    Column("valid_time", _TIME),
    Column("standing_act", Text),
    Column("standing_withdraw_time", _TIME),
    Column("proposed_act", Text),
    Column("refused_act", Text),
    Index("consent_states_valid", "site_id", "subject_id", "purpose", "valid_time", "record_time"),
    Index("consent_states_recorded", "site_id", "subject_id", "purpose", "record_time"),
)
"""After the event `sequence`: which acts stand, are on their way and were refused by the vault.
`valid_time` is there where the event changed what stands."""

agreement_states = Table(
    "agreement_states",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("record_time", _TIME, nullable=False),
    Column("valid_time", _TIME, nullable=False),
    Column("mode", Text, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("policy_sha256", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("strength", Text),
    Column("time", _TIME, nullable=False),
    Column("act_id", Text, nullable=False),
    Index("agreement_states_valid", "site_id", "subject_id", "valid_time", "record_time"),
    Index("agreement_states_version", "site_id", "policy_version", "subject_id", "sequence"),
)
"""The agreement that stood after the event `sequence`."""

APPEND_ONLY = frozenset({"consent_states", "agreement_states"})
