# SPDX-License-Identifier: Apache-2.0
"""SQL of the public keys of receipts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.signing import Signer
from services.chassis.signing_keys import PublicKey
from services.disclosure.tables_receipts import receipt_keys


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
    return [PublicKey(bytes(row.public_key), row.first_use_time) for row in rows]
