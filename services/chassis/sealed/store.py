# SPDX-License-Identifier: Apache-2.0
"""SQL of sealed documents on their way to the vault, and of the key they are sealed with."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.sealed.document import SealedDocument, SealingKey, StoredDocument
from services.chassis.sealed.tables import sealed_documents, sealing_keys

# The handler that sealed a document delivers it itself; the courier comes after.
_HANDLER_GOES_FIRST = timedelta(seconds=1)


def current_key(connection: Connection) -> SealingKey | None:
    """The key the vault gave last; None where it was never reached."""
    row = connection.execute(
        select(sealing_keys).order_by(sealing_keys.c.fetch_time.desc()).limit(1)
    ).one_or_none()
    return None if row is None else SealingKey(row.key_id, bytes(row.public_key))


def keep_key(connection: Connection, key: SealingKey, now: datetime) -> None:
    """Seal with this key from now on."""
    statement = upsert(sealing_keys).values(
        key_id=key.key_id, public_key=key.public_key, fetch_time=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key_id"], set_={"public_key": key.public_key, "fetch_time": now}
        )
    )


def insert_documents(
    connection: Connection, documents: Sequence[SealedDocument], now: datetime
) -> None:
    """Keep sealed documents until the vault has them."""
    rows = [
        {
            "site_id": document.site_id,
            "bound_to": document.bound_to,
            "document_id": document.document_id,
            "owner_id": document.owner_id,
            "kind": document.kind,
            "key_id": document.key_id,
            "sealed": document.sealed,
            "create_time": now,
            "next_time": now + _HANDLER_GOES_FIRST,
            "attempts": 0,
        }
        for document in documents
    ]
    if rows:
        connection.execute(insert(sealed_documents), rows)


def stored_at(
    connection: Connection, site_id: str, bound_to: str, document_id: str
) -> StoredDocument | None:
    """Where the vault has a document; None where it does not have it yet."""
    row = connection.execute(
        select(sealed_documents)
        .filter_by(site_id=site_id, bound_to=bound_to, document_id=document_id)
        .where(sealed_documents.c.delivered_time.is_not(None))
    ).one_or_none()
    if row is None:
        return None
    return StoredDocument(site_id, row.owner_id, bound_to, document_id, row.kind)


def all_of(
    connection: Connection, site_id: str, bound_to: str
) -> list[tuple[StoredDocument, datetime]] | None:
    """The documents of a thing with their times, the oldest first; None while one is on its way."""
    rows = connection.execute(
        select(sealed_documents)
        .filter_by(site_id=site_id, bound_to=bound_to)
        .order_by(sealed_documents.c.create_time, sealed_documents.c.document_id)
    ).all()
    if any(row.sealed is not None for row in rows):
        return None
    return [
        (
            StoredDocument(site_id, row.owner_id, bound_to, row.document_id, row.kind),
            row.create_time,
        )
        for row in rows
        if row.delivered_time is not None
    ]


def listed(
    connection: Connection, site_id: str, bound_to: str
) -> list[tuple[str, str, datetime, bool]]:
    """(id, kind, time, whether the vault has it) of a thing's documents, the oldest first."""
    rows = connection.execute(
        select(sealed_documents)
        .filter_by(site_id=site_id, bound_to=bound_to)
        .order_by(sealed_documents.c.create_time, sealed_documents.c.document_id)
    )
    return [
        (row.document_id, row.kind, row.create_time, row.delivered_time is not None) for row in rows
    ]


def undelivered_of(connection: Connection, site_id: str, bound_to: str) -> list[SealedDocument]:
    """The documents of a thing (a claim, an order, a use) that the vault does not have yet."""
    statement = select(sealed_documents).filter_by(site_id=site_id, bound_to=bound_to)
    statement = statement.where(sealed_documents.c.sealed.is_not(None))
    rows = connection.execute(statement.order_by(sealed_documents.c.document_id))
    return [_document(row) for row in rows]


def due(connection: Connection, now: datetime, limit: int) -> list[SealedDocument]:
    """Documents whose next delivery is due, the oldest first."""
    rows = connection.execute(
        select(sealed_documents)
        .where(sealed_documents.c.sealed.is_not(None), sealed_documents.c.next_time <= now)
        .order_by(sealed_documents.c.next_time)
        .limit(limit)
    )
    return [_document(row) for row in rows]


def mark_delivered(
    connection: Connection, documents: Sequence[SealedDocument], now: datetime
) -> None:
    """The vault has them: they leave this database."""
    connection.execute(
        update(sealed_documents)
        .where(_among(documents), sealed_documents.c.sealed.is_not(None))
        .values(sealed=None, delivered_time=now)
    )


def forget(connection: Connection, documents: Sequence[SealedDocument]) -> None:
    """The vault has them, or never will, and nothing here refers to them any more."""
    connection.execute(delete(sealed_documents).where(_among(documents)))


def abandon(connection: Connection, documents: Sequence[SealedDocument]) -> None:
    """Nobody will ever have them: their owner was destroyed, so they go here as well."""
    connection.execute(update(sealed_documents).where(_among(documents)).values(sealed=None))


def postpone(
    connection: Connection, document: SealedDocument, now: datetime, most_seconds: float
) -> None:
    """Try again later: twice as long each time, at most so many seconds."""
    attempts = connection.execute(
        select(sealed_documents.c.attempts).filter_by(**_place(document)).with_for_update()
    ).scalar_one()
    pause = min(most_seconds, 0.1 * 2 ** min(attempts, 10))
    _update(connection, document, attempts=attempts + 1, next_time=now + timedelta(seconds=pause))


def disown(connection: Connection, site_id: str, subject_id: str) -> None:
    """The site has no such subject: its documents go under the key of what they are bound to."""
    connection.execute(
        update(sealed_documents)
        .filter_by(site_id=site_id, owner_id=subject_id)
        .where(sealed_documents.c.sealed.is_not(None))
        .values(owner_id=sealed_documents.c.bound_to)
    )


def oldest_undelivered(connection: Connection, now: datetime) -> float:
    """Age in seconds of the oldest document that the vault does not have; 0 where none waits."""
    since = connection.execute(
        select(func.min(sealed_documents.c.create_time)).where(
            sealed_documents.c.sealed.is_not(None)
        )
    ).scalar_one_or_none()
    return 0.0 if since is None else float((now - since).total_seconds())


def _update(connection: Connection, document: SealedDocument, **members: object) -> None:
    connection.execute(
        update(sealed_documents)
        .filter_by(**_place(document))
        .where(sealed_documents.c.sealed.is_not(None))
        .values(members)
    )


def _among(documents: Sequence[SealedDocument]) -> ColumnElement[bool]:
    d = sealed_documents.c
    places = [(each.site_id, each.bound_to, each.document_id) for each in documents]
    return tuple_(d.site_id, d.bound_to, d.document_id).in_(places)


def _place(document: SealedDocument) -> dict[str, str]:
    return {
        "site_id": document.site_id,
        "bound_to": document.bound_to,
        "document_id": document.document_id,
    }


def _document(row: Row[*tuple[object, ...]]) -> SealedDocument:
    return SealedDocument(
        row.site_id,
        row.owner_id,
        row.bound_to,
        row.document_id,
        row.kind,
        row.key_id,
        bytes(row.sealed),
    )
