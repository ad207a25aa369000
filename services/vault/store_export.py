# SPDX-License-Identifier: Apache-2.0
"""SQL of a person's own view: all that the vault holds of a subject, in pages.

Every function takes the caller's transaction. Pages go by a key of the table, so that each costs
the same however much there is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Select, literal, select, tuple_
from sqlalchemy.engine import Connection

from services.vault.store import Subject
from services.vault.tables import corrections, data, data_history, documents
from services.vault.tables_records import purchases, visits

Key = tuple[str | int, ...]
"""Where a page goes on: the key of the last row before it; empty at the beginning."""


def current_rows(connection: Connection, subject: Subject) -> list[Row[Any]]:
    """The current data with their provenance: field, version, ciphertext, supplier, form, time."""
    return list(connection.execute(_of(select(data), subject).order_by(data.c.field)))


def former_rows(connection: Connection, subject: Subject, after: Key, limit: int) -> list[Row[Any]]:
    """What was current before, by field and version."""
    h = data_history.c
    statement = _of(select(data_history), subject).order_by(h.field, h.version).limit(limit)
    if after:
        statement = statement.where(tuple_(h.field, h.version) > _place(after))
    return list(connection.execute(statement))


def purchase_rows(
    connection: Connection, subject: Subject, after: Key, limit: int
) -> list[Row[Any]]:
    """Order lines, by order and line."""
    p = purchases.c
    statement = _of(select(purchases), subject).order_by(p.order_id, p.line).limit(limit)
    if after:
        statement = statement.where(tuple_(p.order_id, p.line) > _place(after))
    return list(connection.execute(statement))


def visit_rows(connection: Connection, subject: Subject, after: Key, limit: int) -> list[Row[Any]]:
    """Visits, by their ids."""
    v = visits.c
    statement = _of(select(visits), subject).order_by(v.visit_id).limit(limit)
    if after:
        statement = statement.where(v.visit_id > str(after[0]))
    return list(connection.execute(statement))


def document_rows(
    connection: Connection, subject: Subject, kinds: Collection[str], after: Key, limit: int
) -> list[Row[Any]]:
    """Documents of these kinds under the subject's key, by their ids."""
    d = documents.c
    statement = (
        select(documents)
        .where(d.site_id == subject[0], d.owner_id == subject[1], d.kind.in_(sorted(kinds)))
        .order_by(d.document_id)
        .limit(limit)
    )
    if after:
        statement = statement.where(d.document_id > str(after[0]))
    return list(connection.execute(statement))


def correction_rows(
    connection: Connection, subject: Subject, after: Key, limit: int
) -> list[Row[Any]]:
    """Staged and written corrections, by their ids."""
    c = corrections.c
    statement = _of(select(corrections), subject).order_by(c.correction_id).limit(limit)
    if after:
        statement = statement.where(c.correction_id > str(after[0]))
    return list(connection.execute(statement))


def newest_rows(
    connection: Connection, subject: Subject, name: str, kinds: Collection[str], limit: int
) -> list[Row[Any]]:
    """The newest rows of a list; of documents, those of these kinds. Ids grow with time."""
    d, h, p = documents.c, data_history.c, purchases.c
    of_kinds = select(documents).where(
        d.site_id == subject[0], d.owner_id == subject[1], d.kind.in_(sorted(kinds))
    )
    statements = {
        "data": _of(select(data), subject).order_by(data.c.field),
        "history": _of(select(data_history), subject).order_by(h.end_time.desc(), h.field),
        "purchases": _of(select(purchases), subject).order_by(
            p.store_time.desc(), p.order_id, p.line
        ),
        "visits": _of(select(visits), subject).order_by(visits.c.visit_id.desc()),
        "documents": of_kinds.order_by(d.document_id.desc()),
        "corrections": _of(select(corrections), subject).order_by(
            corrections.c.correction_id.desc()
        ),
    }
    return list(connection.execute(statements[name].limit(limit)))


def _of(statement: Select[Any], subject: Subject) -> Select[Any]:
    return statement.filter_by(site_id=subject[0], subject_id=subject[1])


def _place(after: Key) -> Any:
    return tuple_(*(literal(each) for each in after))
