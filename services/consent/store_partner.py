# SPDX-License-Identifier: Apache-2.0
"""SQL of click-through tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.consent.partner_token import PartnerToken
from services.consent.tables_partner import partner_redemptions, partner_tokens


def insert_token(
    connection: Connection, site_id: str, token: PartnerToken, token_sha256: str
) -> None:
    """Write a new token by its digest."""
    connection.execute(
        insert(partner_tokens).values(
            site_id=site_id,
            token_id=token.token_id,
            subject_id=token.subject_id,
            token_sha256=token_sha256,
            issue_time=token.issue_time,
            expire_time=token.expire_time,
        )
    )


def read_token(connection: Connection, site_id: str, token_id: str) -> PartnerToken | None:
    """A token of a site by its id, or None."""
    found = select(partner_tokens).filter_by(site_id=site_id, token_id=token_id)
    return _token(connection.execute(found).one_or_none())


def find_token(connection: Connection, site_id: str, token_sha256: str) -> PartnerToken | None:
    """A token of a site by its digest, or None."""
    found = select(partner_tokens).filter_by(site_id=site_id, token_sha256=token_sha256)
    return _token(connection.execute(found).one_or_none())


def redeem(
    connection: Connection,
    site_id: str,
    token_id: str,
    redemption_id: str,
    principal: str,
    now: datetime,
) -> bool:
    """Redeem a token; False where it was before. Of two at once, one waits and gets False."""
    taken = connection.execute(
        upsert(partner_redemptions)
        .values(
            site_id=site_id,
            token_id=token_id,
            redemption_id=redemption_id,
            principal=principal,
            redeem_time=now,
        )
        .on_conflict_do_nothing()
        .returning(partner_redemptions.c.token_id)
    )
    return taken.one_or_none() is not None


def redeem_time(connection: Connection, site_id: str, redemption_id: str) -> datetime | None:
    """When a redemption was, or None."""
    found = select(partner_redemptions.c.redeem_time).filter_by(
        site_id=site_id, redemption_id=redemption_id
    )
    return connection.execute(found).scalar_one_or_none()


def _token(row: Row[Any] | None) -> PartnerToken | None:
    if row is None:
        return None
    return PartnerToken(row.token_id, row.subject_id, row.issue_time, row.expire_time)
