# SPDX-License-Identifier: Apache-2.0
"""The gateway's only tables: API keys by their digest, and the evidence of every change of them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gateway.credential import Credential, Holder, KeyRole

Transaction = Connection
"""An open transaction on the gateway's database."""

metadata = MetaData()
_ROLES = "role IN ('STOREFRONT', 'RECIPIENT', 'PARTNER')"

credentials = Table(
    "credentials",
    metadata,
    Column("credential_id", Text, primary_key=True),
    Column("principal_id", Text, nullable=False, index=True),
    Column("site_id", Text, nullable=False),
    Column("role", Text, CheckConstraint(_ROLES), nullable=False),
    Column("purposes", ARRAY(Text), nullable=False),
    Column("recipient_id", Text, nullable=False),
    Column("daily_subjects", Integer, nullable=False),
    Column(
        "token_sha256",
        LargeBinary,
        CheckConstraint("octet_length(token_sha256) = 32"),
        nullable=False,
        unique=True,
    ),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("expire_time", DateTime(timezone=True)),
    Column("revoke_time", DateTime(timezone=True)),
)
"""One row per key ever issued; of a row only revoke_time ever changes, by privilege."""

_PUBLIC = [c for c in credentials.columns if c.name != "token_sha256"]


def find(connection: Transaction, token_sha256: bytes) -> tuple[bytes, Credential] | None:
    """The credential of a key with its stored digest; None where no key has that digest."""
    row = connection.execute(
        select(credentials).where(credentials.c.token_sha256 == token_sha256)
    ).one_or_none()
    return None if row is None else (bytes(row.token_sha256), _credential(row))


def lock_principal(connection: Transaction, principal_id: str) -> None:
    """Let nobody else change this principal's keys until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(principal_id, 0))))


def of_principal(connection: Transaction, principal_id: str) -> Sequence[Credential]:
    """Every key of a principal, oldest first."""
    statement = select(*_PUBLIC).where(credentials.c.principal_id == principal_id)
    return [
        _credential(row)
        for row in connection.execute(statement.order_by(credentials.c.create_time))
    ]


def every(connection: Transaction) -> Sequence[Credential]:
    """Every key, by principal and age."""
    order = (credentials.c.principal_id, credentials.c.create_time)
    return [_credential(row) for row in connection.execute(select(*_PUBLIC).order_by(*order))]


def get(connection: Transaction, credential_id: str) -> Credential | None:
    """One key by its id."""
    statement = select(*_PUBLIC).where(credentials.c.credential_id == credential_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _credential(row)


def add(connection: Transaction, credential: Credential, token_sha256: bytes) -> None:
    """Store a new key."""
    holder = credential.holder
    connection.execute(
        insert(credentials).values(
            credential_id=credential.credential_id,
            principal_id=holder.principal_id,
            site_id=holder.site_id,
            role=holder.role.value,
            purposes=list(holder.purposes),
            recipient_id=holder.recipient_id,
            daily_subjects=holder.daily_subjects,
            token_sha256=token_sha256,
            create_time=credential.create_time,
            expire_time=credential.expire_time,
        )
    )


def revoke(connection: Transaction, credential_id: str, now: datetime) -> None:
    """End a key at `now`; an earlier end stands."""
    connection.execute(
        update(credentials)
        .where(credentials.c.credential_id == credential_id, credentials.c.revoke_time.is_(None))
        .values(revoke_time=now)
    )


def _credential(row: Row[tuple[object, ...]]) -> Credential:
    return Credential(
        credential_id=row.credential_id,
        holder=Holder(
            row.principal_id,
            row.site_id,
            KeyRole(row.role),
            tuple(row.purposes),
            row.recipient_id,
            row.daily_subjects,
        ),
        create_time=row.create_time,
        expire_time=row.expire_time,
        revoke_time=row.revoke_time,
    )
