# SPDX-License-Identifier: Apache-2.0
"""The names of recipients, with the broker and with the vault."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from sqlalchemy import literal, select

from cli.consistency.recipient_names import Name
from cli.consistency.store_snapshot import Snapshot, plain
from services.disclosure.permission import STATE_BODY
from services.disclosure.tables import recipients
from services.disclosure.tables_authorities import authorities
from services.vault.tables_recipients import named_recipients


def let_in(broker: Snapshot) -> Iterator[Name]:
    """Recipients and state bodies by (site, id)."""
    r, a = recipients.c, authorities.c
    own = select(r.site_id, r.recipient_id, r.kind, r.legal_name, r.bin)
    bodies = select(a.site_id, a.authority_id, literal(STATE_BODY), a.legal_name, a.bin)
    yield from merge(
        (
            tuple(row)
            for row in broker.stream(own.order_by(plain(r.site_id), plain(r.recipient_id)))
        ),
        (
            tuple(row)
            for row in broker.stream(bodies.order_by(plain(a.site_id), plain(a.authority_id)))
        ),
    )


def told(vault: Snapshot) -> Iterator[Name]:
    """What the vault was told, by (site, id)."""
    n = named_recipients.c
    statement = select(n.site_id, n.recipient_id, n.kind, n.legal_name, n.bin)
    for row in vault.stream(statement.order_by(plain(n.site_id), plain(n.recipient_id))):
        yield tuple(row)
