# SPDX-License-Identifier: Apache-2.0
"""SQL of the registry of state bodies, in the caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from services.disclosure.authority import Authority
from services.disclosure.recipient import RecipientState
from services.disclosure.tables_authorities import authorities


def add(connection: Connection, authority: Authority) -> None:
    """Register a body."""
    connection.execute(
        insert(authorities).values(
            site_id=authority.site_id,
            authority_id=authority.authority_id,
            legal_name=authority.legal_name,
            bin=authority.bin,
            state=authority.state,
            register_time=authority.register_time,
            registered_by=authority.registered_by,
        )
    )


def find(
    connection: Connection, site_id: str, authority_id: str, *, lock: bool = False
) -> Authority | None:
    """A body of the site; `lock` holds its row."""
    statement = select(authorities).filter_by(site_id=site_id, authority_id=authority_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _authority(row)


def set_state(
    connection: Connection, site_id: str, authority_id: str, state: RecipientState
) -> None:
    """Change how far its registration has come."""
    connection.execute(
        update(authorities)
        .filter_by(site_id=site_id, authority_id=authority_id)
        .values(state=state)
    )


def listed(connection: Connection, site_id: str, after: str, limit: int) -> list[Authority]:
    """Bodies by their ids, which are in the order of registration."""
    rows = connection.execute(
        select(authorities)
        .where(authorities.c.site_id == site_id, authorities.c.authority_id > after)
        .order_by(authorities.c.authority_id)
        .limit(limit)
    )
    return [_authority(row) for row in rows]


def _authority(row: Row[Any]) -> Authority:
    return Authority(
        site_id=row.site_id,
        authority_id=row.authority_id,
        legal_name=row.legal_name,
        bin=row.bin,
        state=RecipientState(row.state),
        register_time=row.register_time,
        registered_by=row.registered_by,
    )
