# SPDX-License-Identifier: Apache-2.0
"""SQL of personal data and their history. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime

from sqlalchemy import Integer, Text, and_, delete, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.sql import literal

from services.vault.fields import Field
from services.vault.store import Subject
from services.vault.store_arrays import unnest
from services.vault.tables import data, data_history, subjects


@dataclass(frozen=True, slots=True)
class DatumRow:
    """One current datum; the ciphertext opens at this version only."""

    field: Field
    version: int
    ciphertext: bytes = member(repr=False)


@dataclass(frozen=True, slots=True)
class NewDatum:
    """A datum to be written: ciphertext None clears the field."""

    field: Field
    ciphertext: bytes | None = member(repr=False)


def current_data(
    connection: Connection, wanted: Collection[tuple[str, str, Field]]
) -> dict[Subject, list[DatumRow]]:
    """The current rows of exactly those (site, subject, field), in one query."""
    if not wanted:
        return {}
    asked = unnest(
        "asked",
        ("site_id", Text, [site for site, _, _ in wanted]),
        ("subject_id", Text, [subject for _, subject, _ in wanted]),
        ("field", Text, [str(field) for _, _, field in wanted]),
    )
    statement = select(
        data.c.site_id, data.c.subject_id, data.c.field, data.c.version, data.c.ciphertext
    ).join(
        asked,
        and_(
            data.c.site_id == asked.c.site_id,
            data.c.subject_id == asked.c.subject_id,
            data.c.field == asked.c.field,
        ),
    )
    found: dict[Subject, list[DatumRow]] = {}
    for site, subject, name, version, ciphertext in connection.execute(statement):
        row = DatumRow(Field(name), version, bytes(ciphertext))
        found.setdefault((site, subject), []).append(row)
    return found


def write_data(
    connection: Connection,
    subject: Subject,
    version: int,
    changes: Sequence[NewDatum],
    supplier: str,
    form: str,
    now: datetime,
) -> None:
    """Write a new version: what it replaces goes into the history."""
    site_id, subject_id = subject
    names = [str(change.field) for change in changes]
    here = and_(data.c.site_id == site_id, data.c.subject_id == subject_id, data.c.field.in_(names))
    old = select(
        data.c.site_id,
        data.c.subject_id,
        data.c.field,
        data.c.version,
        literal(version, Integer),
        data.c.ciphertext,
        data.c.supplier,
        data.c.form,
        data.c.store_time,
        literal(now, data.c.store_time.type),
    ).where(here)
    columns = [c.name for c in data_history.columns]
    connection.execute(insert(data_history).from_select(columns, old))
    connection.execute(delete(data).where(here))
    rows = [
        {
            "site_id": site_id,
            "subject_id": subject_id,
            "field": str(change.field),
            "version": version,
            "ciphertext": change.ciphertext,
            "supplier": supplier,
            "form": form,
            "store_time": now,
        }
        for change in changes
        if change.ciphertext is not None
    ]
    if rows:
        connection.execute(insert(data), rows)
    connection.execute(
        update(subjects)
        .filter_by(site_id=site_id, subject_id=subject_id)
        .values(data_version=version)
    )
