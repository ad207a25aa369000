# SPDX-License-Identifier: Apache-2.0
"""The tables of the key store: a database of its own, never in the same dump as the data."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()
_TIME = DateTime(timezone=True)

epoch_keys = Table(
    "epoch_keys",
    metadata,
    Column("epoch", Text, primary_key=True),
    Column("kek_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("create_time", _TIME, nullable=False),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("owner_id", Text, primary_key=True),
    Column("epoch", Text, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("pseudonym", Text, nullable=False),
    Column("create_time", _TIME, nullable=False),
)
"""One random data key per owner, and the owner's name in evidence: both die with the row."""

index_keys = Table(
    "index_keys",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("key_version", Integer, primary_key=True),
    Column("kek_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("kek_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("create_time", _TIME, nullable=False),
)

vault_life = Table(
    "vault_life",
    metadata,
    Column("only", Boolean, primary_key=True),
    Column("vault_incarnation", Text, nullable=False),
    Column("starts", Integer, nullable=False),
)
"""The life the vault's database should be in: where they differ, one of the two was restored."""
