# SPDX-License-Identifier: Apache-2.0
"""SQL of what a block reaches besides its own subject: watched contacts, provisional blocks, and
what was done before the block. Functions take the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
from services.vault.store import Subject
from services.vault.tables_blocks import interims, provisional_blocks, watched_blocks

# Whoever applied the block looks for its contact; the rounds come after.
_HANDLER_GOES_FIRST = timedelta(seconds=2)
_whose_ = given("whose", site_id=Text, subject_id=Text)
_listed = given("listed", listed_site=Text, listed_subject=Text, listed_claim=Text)


def _of(table: Table) -> ColumnElement[bool]:
    """The rows of the subjects asked for."""
    return and_(table.c.site_id == _whose_.c.site_id, table.c.subject_id == _whose_.c.subject_id)


def _is_listed(table: Table) -> ColumnElement[bool]:
    """The row is one of a listed claim."""
    return and_(
        table.c.site_id == _listed.c.listed_site,
        table.c.subject_id == _listed.c.listed_subject,
        table.c.claim_id == _listed.c.listed_claim,
    )


_listed_with_ground = given(
    "listed", listed_site=Text, listed_subject=Text, listed_claim=Text, ground=Text
)
_ended = (
    delete(watched_blocks)
    .where(_of(watched_blocks), ~exists().select_from(_listed).where(_is_listed(watched_blocks)))
    .cte("ended")
)
_WATCH = Prepared(
    upsert(watched_blocks)
    .from_select(
        [column.name for column in watched_blocks.columns],
        select(
            *_listed_with_ground.columns,
            false(),
            bindparam("next_time", type_=watched_blocks.c.next_time.type),
        ).add_cte(_ended),
    )
    .on_conflict_do_nothing()
)
_TO_SEARCH = Prepared(
    select(watched_blocks)
    .join_from(_whose_, watched_blocks, _of(watched_blocks))
    .where(~watched_blocks.c.searched)
)
_MARK_SEARCHED = Prepared(
    update(watched_blocks).where(_is_listed(watched_blocks)).values(searched=true())
)
_is_known = exists().select_from(_listed).where(_is_listed(provisional_blocks))
_NOTE_KNOWN = Prepared(
    update(provisional_blocks)
    .where(_of(provisional_blocks), provisional_blocks.c.known != _is_known)
    .values(known=~provisional_blocks.c.known)
)


@dataclass(frozen=True, slots=True)
class WatchedBlock:
    """An open block of a claim, whose subject's contact is looked for."""

    site: str
    subject: str
    claim_id: str
    ground: str


@dataclass(frozen=True, slots=True)
class ProvisionalRow:
    """A block that the vault made itself."""

    site: str
    subject: str
    claim_id: str
    origin_subject: str


def watch(
    connection: Connection, grounds: Mapping[Subject, Mapping[str, str]], now: datetime
) -> None:
    """Watch exactly these open blocks of the subjects; grounds by claim."""
    watched = [
        (*subject, claim_id, ground)
        for subject, of_subject in grounds.items()
        for claim_id, ground in of_subject.items()
    ]
    _WATCH.run(
        connection,
        **_whose(grounds),
        listed_site=Texts([site for site, _, _, _ in watched]),
        listed_subject=Texts([subject for _, subject, _, _ in watched]),
        listed_claim=Texts([claim_id for _, _, claim_id, _ in watched]),
        ground=Texts([ground for _, _, _, ground in watched]),
        next_time=now + _HANDLER_GOES_FIRST,
    )


def is_watching(connection: Connection, site: str) -> bool:
    """Whether any block of the site is open."""
    found = connection.execute(select(watched_blocks.c.claim_id).filter_by(site_id=site).limit(1))
    return found.first() is not None


def to_search(
    connection: Connection, subjects: Collection[Subject]
) -> dict[Subject, list[WatchedBlock]]:
    """The open blocks of subjects whose contact was not looked for yet; none are left out."""
    found: dict[Subject, list[WatchedBlock]] = {}
    for row in _TO_SEARCH.rows(connection, **_whose(subjects)):
        found.setdefault((row.site_id, row.subject_id), []).append(watched_block(row))
    return found


def subjects_to_search(connection: Connection, now: datetime, limit: int) -> list[Subject]:
    """Subjects whose contact is to be looked for now, the longest waiting first."""
    w = watched_blocks.c
    rows = connection.execute(
        select(w.site_id, w.subject_id)
        .where(~w.searched, w.next_time <= now)
        .group_by(w.site_id, w.subject_id)
        .order_by(func.min(w.next_time))
        .limit(limit)
    )
    return [(row.site_id, row.subject_id) for row in rows]


def postpone_search(connection: Connection, subject: Subject, until: datetime) -> None:
    """Look for the subject's contact later."""
    connection.execute(
        update(watched_blocks)
        .filter_by(site_id=subject[0], subject_id=subject[1], searched=False)
        .values(next_time=until)
    )


def mark_searched(connection: Connection, blocks: Sequence[WatchedBlock]) -> None:
    """Everybody with the contact of these was found."""
    blocks = sorted(blocks, key=lambda b: (b.site, b.subject, b.claim_id))
    _MARK_SEARCHED.run(
        connection,
        listed_site=Texts([b.site for b in blocks]),
        listed_subject=Texts([b.subject for b in blocks]),
        listed_claim=Texts([b.claim_id for b in blocks]),
    )


def still_open(connection: Connection, blocks: Sequence[WatchedBlock]) -> list[WatchedBlock]:
    """Those of the blocks that have no outcome."""
    w = watched_blocks.c
    wanted = [(b.site, b.subject, b.claim_id) for b in blocks]
    rows = connection.execute(
        select(w.site_id, w.subject_id, w.claim_id).where(
            tuple_(w.site_id, w.subject_id, w.claim_id).in_(wanted)
        )
    )
    present = {tuple(row) for row in rows}
    return [b for b in blocks if (b.site, b.subject, b.claim_id) in present]


def provisional(
    connection: Connection, subject: Subject, found: Mapping[str, str], now: datetime
) -> None:
    """Note blocks that the vault makes; `found`: the subject each came from, by claim."""
    rows = [
        {
            "site_id": subject[0],
            "subject_id": subject[1],
            "claim_id": claim_id,
            "origin_subject_id": origin,
            "block_time": now,
            "known": False,
        }
        for claim_id, origin in found.items()
    ]
    if rows:
        connection.execute(upsert(provisional_blocks).on_conflict_do_nothing(), rows)


def note_known(connection: Connection, claims: Mapping[Subject, Collection[str]]) -> None:
    """The claims service has pushed the blocks of these claims of each subject, and no others."""
    listed = [(*subject, one) for subject, of_subject in claims.items() for one in of_subject]
    _NOTE_KNOWN.run(
        connection,
        **_whose(claims),
        listed_site=Texts([site for site, _, _ in listed]),
        listed_subject=Texts([subject for _, subject, _ in listed]),
        listed_claim=Texts([claim_id for _, _, claim_id in listed]),
    )


def unknown_blocks(
    connection: Connection, after: tuple[str, str, str] | None, limit: int
) -> list[ProvisionalRow]:
    """Blocks that the claims service has not pushed, behind the place `after`."""
    p = provisional_blocks.c
    order = (p.site_id, p.subject_id, p.claim_id)
    statement = select(provisional_blocks).where(~p.known).order_by(*order).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    return [
        ProvisionalRow(row.site_id, row.subject_id, row.claim_id, row.origin_subject_id)
        for row in connection.execute(statement)
    ]


def forget(connection: Connection, subject: Subject) -> None:
    """Delete what is kept of a subject's blocks, and that others had the same contact."""
    site_id, subject_id = subject
    for table in (watched_blocks, provisional_blocks, interims):
        connection.execute(delete(table).filter_by(site_id=site_id, subject_id=subject_id))
    connection.execute(
        update(provisional_blocks)
        .filter_by(site_id=site_id, origin_subject_id=subject_id)
        .values(origin_subject_id="")
    )


def _whose(subjects: Collection[Subject]) -> dict[str, Texts]:
    # In one order for everybody: of two who write, neither waits for the other's rows.
    ordered = sorted(subjects)
    return {
        "site_id": Texts([site for site, _ in ordered]),
        "subject_id": Texts([subject for _, subject in ordered]),
    }


def watched_block(row: object) -> WatchedBlock:
    """A row of watched_blocks."""
    return WatchedBlock(row.site_id, row.subject_id, row.claim_id, row.ground)  # type: ignore[attr-defined]
