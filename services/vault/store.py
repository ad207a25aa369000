# SPDX-License-Identifier: Apache-2.0
"""SQL of the gate's door: locks, then cases. Every function takes the caller's transaction.

The lock comes first, in a statement of its own; cases and data are read in
later statements. One statement that locks and joins returns what stood before
it waited (seen twice).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import BigInteger, Text, and_, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.engine import Connection
from sqlalchemy.sql import cast, literal

from services.vault.store_arrays import unnest
from services.vault.store_relatives import is_linked, relatives_of
from services.vault.tables import deciders, slices, subjects

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
class RelativeRow:
    """Another id of a person with its slices; `account`: the one that the others point to."""

    subject_id: str
    account: bool
    slices: Mapping[str, SliceRow]


@dataclass(frozen=True, slots=True)
class Case:
    """What the gate decides on; `life` is None for a subject the vault does not have.

    `relatives`: the other ids of the same person (clause 1.1.5), none for nearly everybody.
    """

    life: str | None
    data_version: int
    slices: Mapping[str, SliceRow]
    relatives: tuple[RelativeRow, ...] = ()


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


def try_lock_exclusive(connection: Connection, site: str, subjects: Sequence[str]) -> list[str]:
    """Those of the subjects whose lock is free, taken exclusively: nobody waits for another."""
    wanted = {lock_key(site, subject): subject for subject in subjects}
    each = (
        func.unnest(cast(literal(list(wanted), ARRAY(BigInteger)), ARRAY(BigInteger)))
        .table_valued(column("key", BigInteger))
        .render_derived("wanted")
    )
    rows = connection.execute(select(each.c.key, func.pg_try_advisory_xact_lock(each.c.key)))
    return [wanted[key] for key, locked in rows if locked]


def ready(connection: Connection) -> bool:
    """Whether every decider has pushed all it knows to this life of the vault."""
    row = connection.execute(
        select(func.count(), func.coalesce(func.bool_and(deciders.c.complete), False))
    ).one()
    return bool(row[0] == 3 and row[1])


def cases(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, Case]:
    """The case of every subject asked for, the site's policy schedule included."""
    asked = unnest(
        "asked",
        ("site_id", Text, [site for site, _ in wanted]),
        ("subject_id", Text, [subject for _, subject in wanted]),
    )
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
        is_linked(asked),
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
    linked: list[Subject] = []
    for site, subject, life, version, rows, has_relatives in connection.execute(statement):
        if has_relatives:
            linked.append((site, subject))
        found[(site, subject)] = Case(
            life,
            version,
            {
                topic: SliceRow(i, c, bytes.fromhex(d), bytes.fromhex(b))
                for topic, i, c, d, b in rows or ()
            },
        )
    for place, relatives in _relatives(connection, linked).items():
        found[place] = replace(found[place], relatives=relatives)
    return found


def _relatives(
    connection: Connection, wanted: Sequence[Subject]
) -> dict[Subject, tuple[RelativeRow, ...]]:
    kin: dict[Subject, dict[tuple[str, bool], dict[str, SliceRow]]] = {}
    for row in relatives_of(connection, wanted):
        members = kin.setdefault((row.site_id, row.subject_id), {})
        held = members.setdefault((row.kin_id, row.is_account), {})
        if row.topic is not None:
            digest, body = bytes(row.digest), bytes(row.body)
            held[row.topic] = SliceRow(row.incarnation, row.counter, digest, body)
    return {
        place: tuple(RelativeRow(one, account, held) for (one, account), held in members.items())
        for place, members in kin.items()
    }
