# SPDX-License-Identifier: Apache-2.0
"""Ends in both databases: tombstones, certificates, and what is left of whoever has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from cli.consistency.store_snapshot import Snapshot, plain
from services.vault.store_destruction import DONE, ENDING, RESTRICTED
from services.vault.tables import subjects
from services.vault.tables_destruction import destructions
from services.vault.tables_keys import data_keys
from services.vault.tables_tombstones import restrictions, tombstones

Place = tuple[str, str]
"""(site, subject)"""


@dataclass(frozen=True, slots=True)
class End:
    """An end as the vault's database has it: `life` is that of the subject's row."""

    place: Place
    life: str
    state: str
    document: str = field(default="", repr=False)
    entry_id: str = ""


@dataclass(frozen=True, slots=True)
class Stone:
    """A tombstone; `has_key`: a data key of its owner stands beside it."""

    place: Place
    document: str = field(repr=False)
    finished: bool
    has_key: bool


def ends(vault: Snapshot) -> Iterator[End]:
    """Subjects that are destroyed or restricted, or whose destruction is on record, by place."""
    s, d = subjects.c, destructions.c
    both = (d.site_id == s.site_id) & (d.subject_id == s.subject_id)
    statement = (
        select(
            s.site_id,
            s.subject_id,
            s.life,
            d.state,
            d.document,
            d.entry_id,
        )
        .outerjoin(destructions, both)
        .where(s.life.in_(("DESTROYED", "RESTRICTED")) | d.state.in_((DONE, RESTRICTED)))
        .order_by(plain(s.site_id), plain(s.subject_id))
    )
    for row in vault.stream(statement):
        yield End(
            (row[0], row[1]), row.life, row.state or "", row.document or "", row.entry_id or ""
        )


def stones(keystore: Snapshot) -> Iterator[Stone]:
    """Tombstones by place."""
    t, k = tombstones.c, data_keys.c
    both = (k.site_id == t.site_id) & (k.owner_id == t.owner_id)
    statement = (
        select(t.site_id, t.owner_id, t.document, t.finish_time, k.epoch)
        .outerjoin(data_keys, both)
        .order_by(plain(t.site_id), plain(t.owner_id))
    )
    for row in keystore.stream(statement):
        finished = row.finish_time is not None
        yield Stone((row[0], row[1]), row.document, finished, row.epoch is not None)


def restricted(keystore: Snapshot) -> Iterator[Place]:
    """Whom a statutory term keeps, as the key store has it, by place."""
    r = restrictions.c
    statement = select(r.site_id, r.owner_id).order_by(plain(r.site_id), plain(r.owner_id))
    for row in keystore.stream(statement):
        yield row[0], row[1]


def destroyed(vault: Snapshot) -> frozenset[Place]:
    """Everybody who is destroyed."""
    s = subjects.c
    statement = select(s.site_id, s.subject_id).where(s.life == "DESTROYED")
    return frozenset((row[0], row[1]) for row in vault.stream(statement.order_by(plain(s.site_id))))


def remains(vault: Snapshot) -> Iterator[tuple[str, Place]]:
    """(table, place) of what is left of somebody who is destroyed."""
    s = subjects.c
    for _, table, owner, _time in ENDING:
        statement = (
            select(table.c.site_id, owner.label("owner"))
            .join(subjects, (s.site_id == table.c.site_id) & (s.subject_id == owner))
            .where(s.life == "DESTROYED")
            .group_by(table.c.site_id, owner)
        )
        for row in vault.stream(statement.order_by(plain(table.c.site_id), plain(owner))):
            yield table.name, (row[0], row[1])
