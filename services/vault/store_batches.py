# SPDX-License-Identifier: Apache-2.0
"""SQL of storing many subjects at once: one statement per table, whatever their number.

The caller holds the exclusive locks of all the subjects.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime

from sqlalchemy import (
    Integer,
    LargeBinary,
    Text,
    and_,
    delete,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Connection

from services.vault.fields import AnyField, Field
from services.vault.store_arrays import unnest
from services.vault.tables import blind_index, data, data_history, subjects
from services.vault.tables_batches import stored_items


@dataclass(frozen=True, slots=True)
class BatchDatum:
    """A datum to be written; `replaces` where the subject has one of that field."""

    subject: str
    field: AnyField
    version: int
    replaces: bool
    ciphertext: bytes = member(repr=False)


@dataclass(frozen=True, slots=True)
class BatchDigest:
    """A row of the blind index to be written."""

    subject: str
    field: Field
    key_version: int
    digest: bytes = member(repr=False)


def write_data(
    connection: Connection,
    site: str,
    rows: Sequence[BatchDatum],
    supplier: str,
    form: str,
    now: datetime,
) -> None:
    """Write data of new versions: what they replace goes into the history."""
    replaced = [row for row in rows if row.replaces]
    if replaced:
        _retire(connection, site, replaced, now)
    new = unnest(
        "new",
        ("subject_id", Text, [row.subject for row in rows]),
        ("field", Text, [str(row.field) for row in rows]),
        ("version", Integer, [row.version for row in rows]),
        ("ciphertext", LargeBinary, [row.ciphertext for row in rows]),
    )
    values = select(
        literal(site),
        new.c.subject_id,
        new.c.field,
        new.c.version,
        new.c.ciphertext,
        literal(supplier),
        literal(form),
        literal(now, data.c.store_time.type),
    )
    connection.execute(insert(data).from_select([c.name for c in data.columns], values))
    versions = {row.subject: row.version for row in rows}
    changed = unnest(
        "new", ("subject_id", Text, list(versions)), ("version", Integer, list(versions.values()))
    )
    connection.execute(
        update(subjects)
        .where(subjects.c.site_id == site, subjects.c.subject_id == changed.c.subject_id)
        .values(data_version=changed.c.version)
    )


def _retire(
    connection: Connection, site: str, replaced: Sequence[BatchDatum], now: datetime
) -> None:
    asked = unnest(
        "new",
        ("subject_id", Text, [row.subject for row in replaced]),
        ("field", Text, [str(row.field) for row in replaced]),
        ("end_version", Integer, [row.version for row in replaced]),
    )
    same = and_(
        data.c.site_id == site,
        data.c.subject_id == asked.c.subject_id,
        data.c.field == asked.c.field,
    )
    old = select(
        data.c.site_id,
        data.c.subject_id,
        data.c.field,
        data.c.version,
        asked.c.end_version,
        data.c.ciphertext,
        data.c.supplier,
        data.c.form,
        data.c.store_time,
        literal(now, data.c.store_time.type),
    ).join_from(data, asked, same)
    columns = [c.name for c in data_history.columns]
    connection.execute(insert(data_history).from_select(columns, old))
    connection.execute(delete(data).where(same))
    places = select(asked.c.subject_id, asked.c.field)
    connection.execute(
        delete(blind_index).where(
            blind_index.c.site_id == site,
            tuple_(blind_index.c.subject_id, blind_index.c.field).in_(places),
        )
    )


def write_digests(connection: Connection, site: str, rows: Sequence[BatchDigest]) -> None:
    """Write rows of the blind index, whose old ones are gone with the data they replace."""
    if not rows:
        return
    new = unnest(
        "new",
        ("field", Text, [str(row.field) for row in rows]),
        ("key_version", Integer, [row.key_version for row in rows]),
        ("digest", LargeBinary, [row.digest for row in rows]),
        ("subject_id", Text, [row.subject for row in rows]),
    )
    values = select(literal(site), new.c.field, new.c.key_version, new.c.digest, new.c.subject_id)
    names = [c.name for c in blind_index.columns]
    connection.execute(insert(blind_index).from_select(names, values))


def remember(
    connection: Connection,
    site: str,
    batch_id: str,
    versions: Sequence[tuple[str, int]],
    now: datetime,
) -> None:
    """Note the version that each subject has by a batch."""
    if versions:
        connection.execute(
            insert(stored_items),
            [
                {
                    "site_id": site,
                    "batch_id": batch_id,
                    "subject_id": subject,
                    "version": version,
                    "store_time": now,
                }
                for subject, version in versions
            ],
        )


def remembered(
    connection: Connection, site: str, batch_id: str, wanted: Collection[str]
) -> dict[str, tuple[int, datetime]]:
    """The versions, and when, of those subjects that the batch has stored."""
    s = stored_items.c
    rows = connection.execute(
        select(s.subject_id, s.version, s.store_time).where(
            s.site_id == site, s.batch_id == batch_id, s.subject_id.in_(wanted)
        )
    )
    return {row.subject_id: (row.version, row.store_time) for row in rows}
