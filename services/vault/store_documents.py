# SPDX-License-Identifier: Apache-2.0
"""SQL of sealed documents and staged corrections."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, select, update
from sqlalchemy import delete as remove
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
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


_orders = given("orders", site_id=Text, owner_id=Text, bound_to=Text)
_OF_ORDERS = Prepared(
    select(
        documents.c.site_id,
        documents.c.document_id,
        documents.c.owner_id,
        documents.c.bound_to,
        documents.c.kind,
        documents.c.ciphertext,
    )
    .join_from(
        _orders,
        documents,
        and_(*(documents.c[column.name] == column for column in _orders.columns)),
    )
    .where((documents.c.kind == "DELIVERY_ADDRESS") | (documents.c.kind == "MESSAGE_TEXT"))
)


def of_orders(
    connection: Connection, wanted: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], list[DocumentRow]]:
    """What lies there for each (site, owner, order), in one statement."""
    if not wanted:
        return {}
    keys = sorted(wanted)
    rows = _OF_ORDERS.rows(
        connection,
        site_id=Texts([site for site, _, _ in keys]),
        owner_id=Texts([owner for _, owner, _ in keys]),
        bound_to=Texts([order for _, _, order in keys]),
    )
    found: dict[tuple[str, str, str], list[DocumentRow]] = {}
    for row in rows:
        document = DocumentRow(*row)
        found.setdefault((document.site, document.owner, document.bound_to), []).append(document)
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
