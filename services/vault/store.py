# SPDX-License-Identifier: Apache-2.0
"""SQL of the gate's door: locks, then cases. Every function takes the caller's transaction.

The lock comes first, in a statement of its own; cases and data are read in
later statements. One statement that locks and joins returns what stood before
it waited (seen twice).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, and_, bindparam, func, select
from sqlalchemy.engine import Connection

from services.chassis.arrays import BigIntegers, Texts
from services.chassis.prepared import Prepared, given, given_in_order
from services.vault.store_relatives import is_linked, relatives_of
from services.vault.tables import deciders, slices, subjects

Subject = tuple[str, str]
"""(site, subject)"""

_DECIDERS = 3
_WHOLE_SITE = ""
"""In the place of a subject: the slices of the whole site."""

_wanted = given_in_order("wanted", key=BigInteger)
_TRY_LOCK_SHARED = Prepared(
    select(_wanted.c.place, func.pg_try_advisory_xact_lock_shared(_wanted.c.key))
)
_TRY_LOCK_EXCLUSIVE = Prepared(
    select(_wanted.c.place, func.pg_try_advisory_xact_lock(_wanted.c.key))
)
_LOCK_SHARED = Prepared(select(func.pg_advisory_xact_lock_shared(_wanted.c.key)))
_LOCK_EXCLUSIVE = Prepared(select(func.pg_advisory_xact_lock(_wanted.c.key)))
_WAIT_AT_MOST = Prepared(
    select(func.set_config("lock_timeout", bindparam("milliseconds", type_=Text), True))
)
_READY = Prepared(select(func.count(), func.bool_and(deciders.c.complete)).select_from(deciders))
_asked = given("asked", site_id=Text, subject_id=Text)
_CASES = Prepared(
    select(
        _asked.c.site_id,
        _asked.c.subject_id,
        subjects.c.life,
        subjects.c.data_version,
        is_linked(_asked),
        slices.c.topic,
        slices.c.incarnation,
        slices.c.counter,
        slices.c.digest,
        slices.c.body,
    ).select_from(
        _asked.outerjoin(
            subjects,
            and_(
                subjects.c.site_id == _asked.c.site_id,
                subjects.c.subject_id == _asked.c.subject_id,
            ),
        ).outerjoin(
            slices,
            and_(
                slices.c.site_id == _asked.c.site_id,
                slices.c.subject_id == _asked.c.subject_id,
            ),
        )
    )
)


class SliceRow(NamedTuple):
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
    lock_all_shared(connection, [(site, subject)])


def lock_all_shared(connection: Connection, wanted: Collection[Subject]) -> None:
    """The same for all of them, in one order for everybody."""
    _LOCK_SHARED.run(connection, key=_keys(sorted(wanted)))


def lock_exclusive(connection: Connection, site: str, subject: str) -> None:
    """Wait for the subject's lock, exclusive, in fair order; held to the transaction's end."""
    lock_all_exclusive(connection, [(site, subject)])


def lock_all_exclusive(connection: Connection, wanted: Collection[Subject]) -> None:
    """The same for all of them, in one order for everybody."""
    _LOCK_EXCLUSIVE.run(connection, key=_keys(sorted(wanted)))


def try_lock_shared(connection: Connection, wanted: Sequence[Subject]) -> list[bool]:
    """Take those shared locks that are free now and that nobody waits for, in one statement."""
    taken = dict(_TRY_LOCK_SHARED.rows(connection, key=_keys(wanted)))
    return [taken[place] for place in range(1, len(wanted) + 1)]


def try_lock_exclusive(connection: Connection, wanted: Collection[Subject]) -> set[Subject]:
    """Those of the subjects whose lock is free, taken exclusively: nobody waits for another."""
    asked = sorted(wanted)
    rows = _TRY_LOCK_EXCLUSIVE.rows(connection, key=_keys(asked))
    return {asked[place - 1] for place, locked in rows if locked}


def _keys(wanted: Sequence[Subject]) -> BigIntegers:
    return BigIntegers([lock_key(*subject) for subject in wanted])


def wait_at_most(connection: Connection, seconds: float) -> None:
    """Until the transaction ends, wait for no lock longer than this, at least a millisecond."""
    _WAIT_AT_MOST.run(connection, milliseconds=str(max(1, int(seconds * 1000))))


def ready(connection: Connection) -> bool:
    """Whether every decider has pushed all it knows to this life of the vault."""
    [(known, complete)] = _READY.rows(connection)
    return known == _DECIDERS and bool(complete)


def cases(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, Case]:
    """The case of every subject asked for, the site's policy schedule included."""
    sites = dict.fromkeys(site for site, _ in wanted)
    asked = [*wanted, *((site, _WHOLE_SITE) for site in sites)]
    rows = _CASES.rows(
        connection,
        site_id=Texts([site for site, _ in asked]),
        subject_id=Texts([subject for _, subject in asked]),
    )
    heads: dict[Subject, tuple[str | None, int]] = {}
    held: dict[Subject, dict[str, SliceRow]] = {each: {} for each in asked}
    linked: list[Subject] = []
    for site, subject, life, version, has_relatives, topic, *members in rows:
        place = (site, subject)
        if place not in heads:
            heads[place] = (life, version or 0)
            if has_relatives:
                linked.append(place)
        if topic is not None:
            held[place][topic] = SliceRow(*members)
    relatives = _relatives(connection, linked)
    return {
        place: Case(
            *heads[place], held[place] | held[place[0], _WHOLE_SITE], relatives.get(place, ())
        )
        for place in wanted
    }


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
