# SPDX-License-Identifier: Apache-2.0
"""SQL of the public keys of receipts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.signing import Signer
from services.disclosure.tables_receipts import receipt_keys


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A raw Ed25519 public key (32 bytes) and when it was first used."""

    key_id: str
    public_key: bytes
    first_use_time: datetime


def keep(connection: Connection, signer: Signer, now: datetime) -> None:
    """Publish the key of a signer for ever."""
    connection.execute(
        upsert(receipt_keys)
        .values(key_id=signer.key_id, public_key=signer.public_key, first_use_time=now)
        .on_conflict_do_nothing()
    )


def every(connection: Connection) -> list[PublicKey]:
    """Every key that was ever used, the newest first."""
    rows = connection.execute(
        select(receipt_keys).order_by(receipt_keys.c.first_use_time.desc(), receipt_keys.c.key_id)
    )
    return [PublicKey(row.key_id, bytes(row.public_key), row.first_use_time) for row in rows]
