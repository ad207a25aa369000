# SPDX-License-Identifier: Apache-2.0
"""SQL of the blind index and the versions of its keys. Functions take the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
)
from sqlalchemy.engine import Connection

from services.chassis.arrays import Blobs, Integers, Texts
from services.chassis.prepared import Prepared, given_in_order
from services.vault.fields import Field
from services.vault.store import Subject, lock_key
from services.vault.tables import blind_index

Contact = tuple[str, Field, str]
"""(site, e-mail or phone, its normalized value)"""

Entry = tuple[bytes, str]
"""(digest, subject), the order of the entries of one key version"""


_sought = given_in_order(
    "sought", site_id=Text, field=Text, key_version=Integer, digest=LargeBinary
)
_FIND = Prepared(
    select(_sought.c.place, blind_index.c.subject_id)
    .join_from(
        _sought,
        blind_index,
        and_(
            *(
                blind_index.c[name] == _sought.c[name]
                for name in ("site_id", "field", "key_version", "digest")
            )
        ),
    )
    .order_by(blind_index.c.subject_id)
)


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """One key version of a site's field."""

    site: str
    field: Field
    version: int

    @property
    def lock(self) -> int:
        """The advisory lock of those who write digests of this version."""
        return lock_key(self.site, f"\0index\0{self.field}\0{self.version}")

    @property
    def here(self) -> ColumnElement[bool]:
        """The rows of this version."""
        return and_(
            blind_index.c.site_id == self.site,
            blind_index.c.field == str(self.field),
            blind_index.c.key_version == self.version,
        )


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A subject's digest under another version; None where the subject has no such datum."""

    subject: str
    digest: bytes | None = field(repr=False)


def hold_version(connection: Connection, site: str, indexed: Field, version: int) -> None:
    """Keep a version from being retired until the transaction ends."""
    lock = IndexVersion(site, indexed, version).lock
    connection.execute(select(func.pg_advisory_xact_lock_shared(lock)))


def close_version(connection: Connection, version: IndexVersion) -> None:
    """Wait until nobody writes digests of this version any more."""
    connection.execute(select(func.pg_advisory_xact_lock(version.lock)))


def rows_of_version(connection: Connection, version: IndexVersion) -> int:
    """How many digests stand under this version."""
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    statement = select(func.count()).select_from(blind_index).where(version.here)
    return int(connection.execute(statement).scalar_one())


def versions_standing(connection: Connection, site: str, indexed: Field) -> set[int]:
    """The versions of a site's field that have digests."""
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    names = {"site_id": site, "field": str(indexed)}
    rows = connection.execute(select(blind_index.c.key_version).filter_by(**names).distinct())
    return set(rows.scalars())


def rows_by_version(connection: Connection) -> dict[tuple[str, str, int], int]:
    """How many digests stand under each (site, field, version)."""
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    names = (blind_index.c.site_id, blind_index.c.field, blind_index.c.key_version)
    rows = connection.execute(select(*names, func.count()).group_by(*names))
    return {(site, name, version): count for site, name, version, count in rows}


def next_entries(
    connection: Connection, version: IndexVersion, after: Entry | None, limit: int
) -> list[Entry]:
    """The next entries of a version, not locked."""
    here = [version.here]
    if after is not None:
        here.append(tuple_(blind_index.c.digest, blind_index.c.subject_id) > tuple_(*after))
    order = (blind_index.c.digest, blind_index.c.subject_id)
    rows = connection.execute(select(*order).where(*here).order_by(*order).limit(limit))
    return [(bytes(row.digest), row.subject_id) for row in rows]


def move_entries(
    connection: Connection, old: IndexVersion, new: int, entries: Collection[NewEntry]
) -> int:
    """Replace subjects' entries, whose locks are held, by those under another version.

    Returns how many stood under the old version still.
    """
    ids = [entry.subject for entry in entries]
    gone = connection.execute(
        delete(blind_index)
        .where(old.here, blind_index.c.subject_id.in_(ids))
        .returning(blind_index.c.subject_id)
    )
    moved = set(gone.scalars())
    rows = [
        {
            "site_id": old.site,
            "field": str(old.field),
            "key_version": new,
            "digest": entry.digest,
            "subject_id": entry.subject,
        }
        for entry in entries
        if entry.subject in moved and entry.digest is not None
    ]
    if rows:
        connection.execute(insert(blind_index), rows)
    return len(moved)


def find_all(
    connection: Connection, sought: Sequence[tuple[Contact, int, bytes]]
) -> dict[Contact, list[str]]:
    """The subjects with each contact that is found, in order of id.

    `sought`: (contact, version, its digest under that version).
    """
    rows = _FIND.rows(
        connection,
        site_id=Texts([site for (site, _, _), _, _ in sought]),
        field=Texts([str(indexed) for (_, indexed, _), _, _ in sought]),
        key_version=Integers([version for _, version, _ in sought]),
        digest=Blobs([digest for _, _, digest in sought]),
    )
    found: dict[Contact, dict[str, None]] = {}
    for place, subject in rows:
        found.setdefault(sought[place - 1][0], {})[subject] = None
    return {contact: list(subjects) for contact, subjects in found.items()}


def write_index(
    connection: Connection,
    subject: Subject,
    indexed: Field,
    key_version: int,
    digest: bytes | None,
) -> None:
    """Replace the blind-index row of a field; None removes it."""
    place = {"site_id": subject[0], "subject_id": subject[1], "field": str(indexed)}
    connection.execute(delete(blind_index).filter_by(**place))
    if digest is not None:
        connection.execute(
            insert(blind_index).values(**place, key_version=key_version, digest=digest)
        )
