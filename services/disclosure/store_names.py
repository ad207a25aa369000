# SPDX-License-Identifier: Apache-2.0
"""SQL of who is behind the ids of recipients and state bodies, of all sites."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import literal, select, union_all
from sqlalchemy.engine import Connection

from services.disclosure.permission import STATE_BODY
from services.disclosure.recipient import Named
from services.disclosure.tables import recipients
from services.disclosure.tables_authorities import authorities


def every(connection: Connection) -> Sequence[Named]:
    """All who were ever registered, by site and id: they are few, however many people there are."""
    r, a = recipients.c, authorities.c
    bodies = select(
        a.site_id, a.authority_id, literal(STATE_BODY).label("kind"), a.legal_name, a.bin
    )
    both = union_all(
        select(r.site_id, r.recipient_id, r.kind, r.legal_name, r.bin), bodies
    ).subquery()
    rows = connection.execute(select(both).order_by(both.c.site_id, both.c.recipient_id))
    return [Named(*row) for row in rows]
