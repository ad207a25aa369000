# SPDX-License-Identifier: Apache-2.0
"""SQL of the versions of data: what stands and what stood, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime

from sqlalchemy import DateTime, Integer, null, select, tuple_, type_coerce, union_all
from sqlalchemy.engine import Connection

from services.vault.fields import AnyField, field_of
from services.vault.store import Subject
from services.vault.tables import data, data_history

# A field name sorts after this one at no version: the start of a list.
FIRST = (2**31 - 1, "")


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A datum from `version` on; `end_version` and `end_time` are None while it stands."""

    field: AnyField
    version: int
    end_version: int | None
    supplier: str
    form: str
    store_time: datetime
    end_time: datetime | None
    ciphertext: bytes = member(repr=False)


def read_versions(
    connection: Connection, subject: Subject, after: tuple[int, str], most: int
) -> Sequence[VersionRow]:
    """At most `most` versions below the place (version, field); newest first, then by field."""
    common = ("field", "version", "supplier", "form", "store_time", "ciphertext")
    here = {"site_id": subject[0], "subject_id": subject[1]}
    stands = select(
        *(data.c[name] for name in common),
        type_coerce(null(), Integer).label("end_version"),
        type_coerce(null(), DateTime(timezone=True)).label("end_time"),
    ).filter_by(**here)
    stood = select(
        *(data_history.c[name] for name in common),
        data_history.c.end_version,
        data_history.c.end_time,
    ).filter_by(**here)
    every = union_all(stands, stood).subquery("versions")
    place = tuple_(-every.c.version, every.c.field)
    rows = connection.execute(
        select(every)
        .where(place > tuple_(-after[0], after[1]))
        .order_by(-every.c.version, every.c.field)
        .limit(most)
    )
    return [
        VersionRow(
            field_of(row.field),
            row.version,
            row.end_version,
            row.supplier,
            row.form,
            row.store_time,
            row.end_time,
            bytes(row.ciphertext),
        )
        for row in rows
    ]
