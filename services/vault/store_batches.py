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
    DateTime,
    Integer,
    LargeBinary,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Connection

from services.chassis.arrays import Blobs, Integers, Texts
from services.chassis.prepared import Prepared, given
from services.vault.fields import AnyField, Field
from services.vault.tables import blind_index, data, data_history, subjects
from services.vault.tables_batches import stored_items

_site = bindparam("site", type_=Text)
_now = bindparam("now", type_=DateTime(timezone=True))

_new = given("new", subject_id=Text, field=Text, version=Integer, ciphertext=LargeBinary)
_WRITE = Prepared(
    insert(data).from_select(
        [column.name for column in data.columns],
        select(
            _site,
            *_new.columns,
            bindparam("supplier", type_=Text),
            bindparam("form", type_=Text),
            _now,
        ),
    )
)
_changed = given("changed", subject_id=Text, version=Integer)
_RAISE_VERSIONS = Prepared(
    update(subjects)
    .where(subjects.c.site_id == _site, subjects.c.subject_id == _changed.c.subject_id)
    .values(data_version=_changed.c.version)
)

_replaced = given("replaced", subject_id=Text, field=Text, end_version=Integer)
_same_datum = and_(
    data.c.site_id == _site,
    data.c.subject_id == _replaced.c.subject_id,
    data.c.field == _replaced.c.field,
)
_KEEP_HISTORY = Prepared(
    insert(data_history).from_select(
        [column.name for column in data_history.columns],
        select(
            data.c.site_id,
            data.c.subject_id,
            data.c.field,
            data.c.version,
            _replaced.c.end_version,
            data.c.ciphertext,
            data.c.supplier,
            data.c.form,
            data.c.store_time,
            _now,
        ).join_from(_replaced, data, _same_datum),
    )
)
_places = given("places", subject_id=Text, field=Text)
_REMOVE = Prepared(
    delete(data).where(
        data.c.site_id == _site,
        data.c.subject_id == _places.c.subject_id,
        data.c.field == _places.c.field,
    )
)
_REMOVE_DIGESTS = Prepared(
    delete(blind_index).where(
        blind_index.c.site_id == _site,
        tuple_(blind_index.c.subject_id, blind_index.c.field).in_(
            select(_places.c.subject_id, _places.c.field)
        ),
    )
)

_digests = given("digests", field=Text, key_version=Integer, digest=LargeBinary, subject_id=Text)
_WRITE_DIGESTS = Prepared(
    insert(blind_index).from_select(
        [column.name for column in blind_index.columns], select(_site, *_digests.columns)
    )
)

_stored = given("stored", subject_id=Text, version=Integer)
_batch_id = bindparam("batch_id", type_=Text)
_REMEMBER = Prepared(
    insert(stored_items).from_select(
        [column.name for column in stored_items.columns],
        select(_site, _batch_id, *_stored.columns, _now),
    )
)
_asked = given("asked", subject_id=Text)
_REMEMBERED = Prepared(
    select(stored_items.c.subject_id, stored_items.c.version, stored_items.c.store_time).join_from(
        _asked,
        stored_items,
        and_(
            stored_items.c.site_id == _site,
            stored_items.c.batch_id == _batch_id,
            stored_items.c.subject_id == _asked.c.subject_id,
        ),
    )
)


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
    _WRITE.run(
        connection,
        site=site,
        subject_id=Texts([row.subject for row in rows]),
        field=Texts([str(row.field) for row in rows]),
        version=Integers([row.version for row in rows]),
        ciphertext=Blobs([row.ciphertext for row in rows]),
        supplier=supplier,
        form=form,
        now=now,
    )
    versions = {row.subject: row.version for row in rows}
    _RAISE_VERSIONS.run(
        connection,
        site=site,
        subject_id=Texts(versions.keys()),
        version=Integers(versions.values()),
    )


def _retire(
    connection: Connection, site: str, replaced: Sequence[BatchDatum], now: datetime
) -> None:
    places = {
        "site": site,
        "subject_id": Texts([row.subject for row in replaced]),
        "field": Texts([str(row.field) for row in replaced]),
    }
    ends = Integers([row.version for row in replaced])
    _KEEP_HISTORY.run(connection, **places, end_version=ends, now=now)
    _REMOVE.run(connection, **places)
    _REMOVE_DIGESTS.run(connection, **places)


def write_digests(connection: Connection, site: str, rows: Sequence[BatchDigest]) -> None:
    """Write rows of the blind index, whose old ones are gone with the data they replace."""
    if rows:
        _WRITE_DIGESTS.run(
            connection,
            site=site,
            field=Texts([str(row.field) for row in rows]),
            key_version=Integers([row.key_version for row in rows]),
            digest=Blobs([row.digest for row in rows]),
            subject_id=Texts([row.subject for row in rows]),
        )


def remember(
    connection: Connection,
    site: str,
    batch_id: str,
    versions: Sequence[tuple[str, int]],
    now: datetime,
) -> None:
    """Note the version that each subject has by a batch."""
    if versions:
        _REMEMBER.run(
            connection,
            site=site,
            batch_id=batch_id,
            subject_id=Texts([subject for subject, _ in versions]),
            version=Integers([version for _, version in versions]),
            now=now,
        )


def remembered(
    connection: Connection, site: str, batch_id: str, wanted: Collection[str]
) -> dict[str, tuple[int, datetime]]:
    """The versions, and when, of those subjects that the batch has stored."""
    rows = _REMEMBERED.rows(connection, site=site, batch_id=batch_id, subject_id=Texts(wanted))
    return {subject: (version, time) for subject, version, time in rows}
