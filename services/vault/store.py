# SPDX-License-Identifier: Apache-2.0
"""SQL of the gate: locks, cases, data. Every function takes the caller's transaction.

The lock comes first, in a statement of its own; cases and data are read in
later statements. One statement that locks and joins returns what stood before
it waited (seen twice).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Integer,
    TableValuedAlias,
    Text,
    and_,
    column,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection
from sqlalchemy.sql import cast, literal

from services.vault.fields import Field
from services.vault.tables import (
    blind_index,
    data,
    data_history,
    deciders,
    proposal_verdicts,
    release_entries,
    slices,
    subjects,
)

Subject = tuple[str, str]
"""(site, subject)"""


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice as it stands: version, digest of what was pushed, the settled bytes."""

    incarnation: int
    counter: int
    digest: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """What the gate decides on; `life` is None for a subject the vault does not have."""

    life: str | None
    data_version: int
    slices: Mapping[str, SliceRow]


@dataclass(frozen=True, slots=True)
class DatumRow:
    """One current datum; the ciphertext opens at this version only."""

    field: Field
    version: int
    ciphertext: bytes = member(repr=False)


def lock_key(site: str, subject: str) -> int:
    """The advisory lock of a subject: 64 bits of a hash, hardly ever shared with a stranger."""
    digest = hashlib.blake2b(f"{site}\0{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def lock_shared(connection: Connection, site: str, subject: str) -> None:
    """Wait for the subject's lock, shared, in fair order; held to the transaction's end."""
    connection.execute(select(func.pg_advisory_xact_lock_shared(lock_key(site, subject))))


def lock_exclusive(connection: Connection, site: str, subject: str) -> None:
    """Wait for the subject's lock, exclusive, in fair order; held to the transaction's end."""
    connection.execute(select(func.pg_advisory_xact_lock(lock_key(site, subject))))


def try_lock_shared(connection: Connection, wanted: Sequence[Subject]) -> list[bool]:
    """Take those shared locks that are free now and that nobody waits for, in one statement."""
    keys = [lock_key(*subject) for subject in wanted]
    each = (
        func.unnest(cast(literal(keys, ARRAY(BigInteger)), ARRAY(BigInteger)))
        .table_valued(column("key", BigInteger), with_ordinality="place")
        .render_derived("wanted")
    )
    rows = connection.execute(
        select(each.c.place, func.pg_try_advisory_xact_lock_shared(each.c.key))
    )
    taken = {place: bool(locked) for place, locked in rows}
    return [taken[n + 1] for n in range(len(keys))]


def ready(connection: Connection) -> bool:
    """Whether every decider has pushed all it knows to this life of the vault."""
    row = connection.execute(
        select(func.count(), func.coalesce(func.bool_and(deciders.c.complete), False))
    ).one()
    return bool(row[0] == 3 and row[1])


def cases(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, Case]:
    """The case of every subject asked for, the site's policy schedule included."""
    asked = _asked(wanted)
    members = func.json_build_array(
        slices.c.topic,
        slices.c.incarnation,
        slices.c.counter,
        func.encode(slices.c.digest, "hex"),
        func.encode(slices.c.body, "hex"),
    )
    per_subject = (
        select(func.json_agg(aggregate_order_by(members, slices.c.topic)))
        .where(
            slices.c.site_id == asked.c.site_id,
            slices.c.subject_id.in_([asked.c.subject_id, literal("")]),
        )
        .scalar_subquery()
    )
    statement = select(
        asked.c.site_id,
        asked.c.subject_id,
        subjects.c.life,
        func.coalesce(subjects.c.data_version, 0),
        per_subject,
    ).select_from(
        asked.outerjoin(
            subjects,
            and_(
                subjects.c.site_id == asked.c.site_id,
                subjects.c.subject_id == asked.c.subject_id,
            ),
        )
    )
    found: dict[Subject, Case] = {}
    for site, subject, life, version, rows in connection.execute(statement):
        found[(site, subject)] = Case(
            life,
            version,
            {
                topic: SliceRow(i, c, bytes.fromhex(d), bytes.fromhex(b))
                for topic, i, c, d, b in rows or ()
            },
        )
    return found


def read_slice(connection: Connection, site: str, subject: str, topic: str) -> SliceRow | None:
    """One slice; None where it was never pushed."""
    row = connection.execute(
        select(slices).filter_by(site_id=site, subject_id=subject, topic=topic)
    ).one_or_none()
    if row is None:
        return None
    return SliceRow(row.incarnation, row.counter, bytes(row.digest), bytes(row.body))


def write_slice(
    connection: Connection, site: str, subject: str, topic: str, row: SliceRow, now: datetime
) -> None:
    """Replace a slice."""
    members = {
        "incarnation": row.incarnation,
        "counter": row.counter,
        "digest": row.digest,
        "body": row.body,
        "apply_time": now,
    }
    statement = upsert(slices).values(site_id=site, subject_id=subject, topic=topic, **members)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["site_id", "subject_id", "topic"], set_=members
        )
    )


def read_verdicts(
    connection: Connection, subject: Subject, topic: str, proposals: Collection[str]
) -> dict[str, tuple[str, str]]:
    """(verdict, reason) of those proposals that were once decided."""
    if not proposals:
        return {}
    rows = connection.execute(
        select(
            proposal_verdicts.c.proposal_id, proposal_verdicts.c.verdict, proposal_verdicts.c.reason
        )
        .filter_by(site_id=subject[0], subject_id=subject[1], topic=topic)
        .where(proposal_verdicts.c.proposal_id.in_(proposals))
    )
    return {proposal: (verdict, reason) for proposal, verdict, reason in rows}


def write_verdicts(
    connection: Connection,
    subject: Subject,
    topic: str,
    verdicts: Mapping[str, tuple[str, str]],
    now: datetime,
) -> None:
    """Keep verdicts for ever."""
    rows = [
        {
            "site_id": subject[0],
            "subject_id": subject[1],
            "topic": topic,
            "proposal_id": proposal,
            "verdict": verdict,
            "reason": reason,
            "decide_time": now,
        }
        for proposal, (verdict, reason) in verdicts.items()
    ]
    if rows:
        connection.execute(upsert(proposal_verdicts).on_conflict_do_nothing(), rows)


def create_subject(connection: Connection, site: str, subject: str, now: datetime) -> None:
    """A subject's row, unless it stands already."""
    connection.execute(
        upsert(subjects)
        .values(site_id=site, subject_id=subject, life="PRESENT", data_version=0, create_time=now)
        .on_conflict_do_nothing()
    )


def known_subjects(connection: Connection, site: str, wanted: Collection[str]) -> list[str]:
    """Those of the ids that the site has."""
    rows = connection.execute(
        select(subjects.c.subject_id)
        .where(subjects.c.site_id == site, subjects.c.subject_id.in_(wanted))
        .order_by(subjects.c.subject_id)
    )
    return [row.subject_id for row in rows]


def current_data(
    connection: Connection, wanted: Collection[tuple[str, str, Field]]
) -> dict[Subject, list[DatumRow]]:
    """The current rows of exactly those (site, subject, field), in one query."""
    if not wanted:
        return {}
    asked = _unnest(
        [(site, subject, str(f)) for site, subject, f in wanted], ("site_id", "subject_id", "field")
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


@dataclass(frozen=True, slots=True)
class NewDatum:
    """A datum to be written: ciphertext None clears the field."""

    field: Field
    ciphertext: bytes | None = member(repr=False)


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


def write_release_entries(connection: Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """(site, release, entry) of data that leave for a release.

    A release that is asked for again keeps its first entry; the evidence has one per departure.
    """
    if rows:
        connection.execute(
            upsert(release_entries).on_conflict_do_nothing(),
            [{"site_id": s, "release_id": r, "entry_id": e} for s, r, e in rows],
        )


def read_release_entry(connection: Connection, site: str, release_id: str) -> str:
    """The entry of a release; empty where the vault gave nothing out for it."""
    row = connection.execute(
        select(release_entries.c.entry_id).filter_by(site_id=site, release_id=release_id)
    ).one_or_none()
    return str(row.entry_id) if row else ""


def _asked(wanted: Collection[Subject]) -> TableValuedAlias:
    return _unnest(list(wanted), ("site_id", "subject_id"))


def _unnest(rows: Sequence[tuple[str, ...]], names: tuple[str, ...]) -> TableValuedAlias:
    arrays = [
        cast(literal([row[n] for row in rows], ARRAY(Text)), ARRAY(Text)) for n in range(len(names))
    ]
    valued = func.unnest(*arrays).table_valued(*(column(name, Text) for name in names))
    return valued.render_derived("asked")
