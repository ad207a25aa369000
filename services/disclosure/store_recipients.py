# SPDX-License-Identifier: Apache-2.0
"""SQL of the recipients."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from services.disclosure.recipient import Kind, Recipient, RecipientState
from services.disclosure.tables import recipients


def add(connection: Connection, recipient: Recipient) -> None:
    """Write a new recipient."""
    connection.execute(
        insert(recipients).values(
            site_id=recipient.site_id,
            recipient_id=recipient.recipient_id,
            kind=recipient.kind,
            legal_name=recipient.legal_name,
            bin=recipient.bin,
            agreement=recipient.agreement,
            state=recipient.state,
            register_time=recipient.register_time,
            registered_by=recipient.registered_by,
        )
    )


def find(
    connection: Connection, site_id: str, recipient_id: str, *, lock: bool = False
) -> Recipient | None:
    """A recipient of the site; `lock` holds it until the transaction ends."""
    statement = select(recipients).filter_by(site_id=site_id, recipient_id=recipient_id)
    if lock:
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else _recipient(row)


def set_state(
    connection: Connection, site_id: str, recipient_id: str, state: RecipientState
) -> None:
    """Set where a recipient stands."""
    connection.execute(
        update(recipients).filter_by(site_id=site_id, recipient_id=recipient_id).values(state=state)
    )


def listed(connection: Connection, site_id: str, after: str, limit: int) -> list[Recipient]:
    """The site's recipients in the order of registration, after the id `after`."""
    rows = connection.execute(
        select(recipients)
        .filter_by(site_id=site_id)
        .where(recipients.c.recipient_id > after)
        .order_by(recipients.c.recipient_id)
        .limit(limit)
    )
    return [_recipient(row) for row in rows]


def _recipient(row: Row[Any]) -> Recipient:
    return Recipient(
        site_id=row.site_id,
        recipient_id=row.recipient_id,
        kind=Kind(row.kind),
        legal_name=row.legal_name,
        bin=row.bin,
        agreement=row.agreement,
        state=RecipientState(row.state),
        register_time=row.register_time,
        registered_by=row.registered_by,
    )
