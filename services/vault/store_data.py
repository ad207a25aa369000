# SPDX-License-Identifier: Apache-2.0
"""SQL of personal data and their history. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime

from sqlalchemy import Integer, Text, and_, any_, delete, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.sql import literal

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given_in_order
from services.vault.fields import AnyField, field_of
from services.vault.store import Subject
from services.vault.tables import data, data_history, subjects

_asked = given_in_order("asked", site_id=Text, subject_id=Text, fields=Text)
_CURRENT = Prepared(
    select(_asked.c.place, data.c.field, data.c.version, data.c.ciphertext).join_from(
        _asked,
        data,
        and_(
            data.c.site_id == _asked.c.site_id,
            data.c.subject_id == _asked.c.subject_id,
            data.c.field == any_(func.string_to_array(_asked.c.fields, ",")),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class DatumRow:
    """One current datum; the ciphertext opens at this version only."""

    field: AnyField
    version: int
    ciphertext: bytes = member(repr=False)


@dataclass(frozen=True, slots=True)
class NewDatum:
    """A datum to be written: ciphertext None clears the field."""

    field: AnyField
    ciphertext: bytes | None = member(repr=False)


def current_data(
    connection: Connection, wanted: Mapping[Subject, Collection[AnyField]]
) -> dict[Subject, list[DatumRow]]:
    """The current rows of exactly those fields of those subjects, in one query."""
    if not wanted:
        return {}
    subjects_ = list(wanted)
    rows = _CURRENT.rows(
        connection,
        site_id=Texts([site for site, _ in subjects_]),
        subject_id=Texts([subject for _, subject in subjects_]),
        fields=Texts([",".join(wanted[each]) for each in subjects_]),
    )
    found: dict[Subject, list[DatumRow]] = {}
    for place, name, version, ciphertext in rows:
        row = DatumRow(field_of(name), version, ciphertext)
        found.setdefault(subjects_[place - 1], []).append(row)
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
