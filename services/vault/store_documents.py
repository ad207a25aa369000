# SPDX-License-Identifier: Apache-2.0
"""SQL of sealed documents and staged corrections."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime
from typing import Any

from sqlalchemy import delete as remove
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.vault.tables import corrections, documents


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document under its owner's key."""

    site: str
    document_id: str
    owner: str
    bound_to: str
    kind: str
    ciphertext: bytes = member(repr=False)


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A staged correction; `applied_version` is None until its outcome writes it."""

    site: str
    correction_id: str
    subject: str
    claim_id: str
    applied_version: int | None
    ciphertext: bytes = member(repr=False)


def put_document(connection: Connection, row: DocumentRow, now: datetime) -> bool:
    """Store a document; False where it stands already."""
    stored = connection.execute(
        upsert(documents)
        .values(
            site_id=row.site,
            document_id=row.document_id,
            owner_id=row.owner,
            bound_to=row.bound_to,
            kind=row.kind,
            ciphertext=row.ciphertext,
            store_time=now,
        )
        .on_conflict_do_nothing()
        .returning(documents.c.document_id)
    ).one_or_none()
    return stored is not None


def read_document(connection: Connection, site: str, document_id: str) -> DocumentRow | None:
    """A document; None where the site has none of that id."""
    row = connection.execute(
        select(documents).filter_by(site_id=site, document_id=document_id)
    ).one_or_none()
    return None if row is None else _document(row)


def of_owner(
    connection: Connection, owner: tuple[str, str], kinds: Collection[str]
) -> list[DocumentRow]:
    """The documents of those kinds under the key of a (site, owner)."""
    rows = connection.execute(
        select(documents)
        .filter_by(site_id=owner[0], owner_id=owner[1])
        .where(documents.c.kind.in_(kinds))
    )
    return [_document(row) for row in rows]


_OF_ORDERS = text(
    "SELECT d.* FROM (SELECT DISTINCT * FROM unnest(CAST(:sites AS text[]), "
    "CAST(:owners AS text[]), CAST(:orders AS text[])) AS t (site_id, owner_id, order_id)) asked "
    "JOIN documents d ON d.site_id = asked.site_id AND d.owner_id = asked.owner_id "
    "AND d.bound_to = asked.order_id AND d.kind IN ('DELIVERY_ADDRESS', 'MESSAGE_TEXT')"
)


def of_orders(
    connection: Connection, wanted: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], list[DocumentRow]]:
    """What lies there for each (site, owner, order), in one statement."""
    if not wanted:
        return {}
    keys = sorted(wanted)
    rows = connection.execute(
        _OF_ORDERS,
        {
            "sites": [site for site, _, _ in keys],
            "owners": [owner for _, owner, _ in keys],
            "orders": [order for _, _, order in keys],
        },
    )
    found: dict[tuple[str, str, str], list[DocumentRow]] = {}
    for row in rows:
        found.setdefault((row.site_id, row.owner_id, row.bound_to), []).append(_document(row))
    return found


def delete(connection: Connection, site: str, document_ids: Collection[str]) -> None:
    """Let documents go."""
    if document_ids:
        connection.execute(
            remove(documents)
            .filter_by(site_id=site)
            .where(documents.c.document_id.in_(document_ids))
        )


def _document(row: Row[Any]) -> DocumentRow:
    return DocumentRow(
        row.site_id, row.document_id, row.owner_id, row.bound_to, row.kind, bytes(row.ciphertext)
    )


def stage(connection: Connection, row: CorrectionRow, now: datetime) -> None:
    """Stage a correction, unless it stands already."""
    connection.execute(
        upsert(corrections)
        .values(
            site_id=row.site,
            correction_id=row.correction_id,
            subject_id=row.subject,
            claim_id=row.claim_id,
            ciphertext=row.ciphertext,
            stage_time=now,
        )
        .on_conflict_do_nothing()
    )


def read_correction(connection: Connection, site: str, correction_id: str) -> CorrectionRow | None:
    """A correction; None where the site has none of that id."""
    row = connection.execute(
        select(corrections).filter_by(site_id=site, correction_id=correction_id)
    ).one_or_none()
    if row is None:
        return None
    return CorrectionRow(
        row.site_id,
        row.correction_id,
        row.subject_id,
        row.claim_id,
        row.applied_version,
        bytes(row.ciphertext),
    )


def mark_applied(connection: Connection, site: str, correction_id: str, version: int) -> None:
    """The correction stands written as that version of the data."""
    connection.execute(
        update(corrections)
        .filter_by(site_id=site, correction_id=correction_id)
        .values(applied_version=version)
    )
