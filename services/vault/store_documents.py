# SPDX-License-Identifier: Apache-2.0
"""SQL of sealed documents and staged corrections."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, bindparam, select, update
from sqlalchemy import delete as remove
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis.arrays import Blobs, Texts
from services.chassis.prepared import Prepared, given
from services.vault.tables import corrections, documents

_members = [
    documents.c[name]
    for name in ("site_id", "document_id", "owner_id", "bound_to", "kind", "ciphertext")
]
_new = given("new", **{column.name: column.type for column in _members})
_PUT = Prepared(
    upsert(documents)
    .from_select(
        [*_new.columns.keys(), "store_time"],
        select(*_new.columns, bindparam("now", type_=documents.c.store_time.type)),
    )
    .on_conflict_do_nothing()
    .returning(documents.c.site_id, documents.c.document_id)
)
_wanted = given("wanted", site_id=Text, document_id=Text)
_READ = Prepared(
    select(*_members).join_from(
        _wanted,
        documents,
        and_(*(documents.c[column.name] == column for column in _wanted.columns)),
    )
)
_orders = given("orders", site_id=Text, owner_id=Text, bound_to=Text)
_OF_ORDERS = Prepared(
    select(*_members)
    .join_from(
        _orders,
        documents,
        and_(*(documents.c[column.name] == column for column in _orders.columns)),
    )
    .where((documents.c.kind == "DELIVERY_ADDRESS") | (documents.c.kind == "MESSAGE_TEXT"))
)


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
    return bool(put_documents(connection, [row], now))


def put_documents(
    connection: Connection, rows: Collection[DocumentRow], now: datetime
) -> set[tuple[str, str]]:
    """Store documents; the (site, id) of those that did not stand already.

    In one order for everybody: who stores the same ones at once waits for nobody who waits for him.
    """
    ordered = sorted(rows, key=lambda row: (row.site, row.document_id))
    stored = _PUT.rows(
        connection,
        site_id=Texts([row.site for row in ordered]),
        document_id=Texts([row.document_id for row in ordered]),
        owner_id=Texts([row.owner for row in ordered]),
        bound_to=Texts([row.bound_to for row in ordered]),
        kind=Texts([row.kind for row in ordered]),
        ciphertext=Blobs([row.ciphertext for row in ordered]),
        now=now,
    )
    return {(site, document_id) for site, document_id in stored}


def read_document(connection: Connection, site: str, document_id: str) -> DocumentRow | None:
    """A document; None where the site has none of that id."""
    return read_documents(connection, [(site, document_id)]).get((site, document_id))


def read_documents(
    connection: Connection, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], DocumentRow]:
    """Those of the documents that stand, by (site, id)."""
    rows = _READ.rows(
        connection,
        site_id=Texts([site for site, _ in wanted]),
        document_id=Texts([document_id for _, document_id in wanted]),
    )
    return {(row.site_id, row.document_id): DocumentRow(*row) for row in rows}


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
