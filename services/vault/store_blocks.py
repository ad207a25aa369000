# SPDX-License-Identifier: Apache-2.0
"""SQL of what a block reaches besides its own subject: watched contacts, provisional blocks, and
what was done before the block. Functions take the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime, timedelta

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    Table,
    TableValuedAlias,
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
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import BigIntegers, Texts
from services.chassis.evidence import DONE, PERMITTED, entries
from services.chassis.prepared import Prepared, given
from services.vault.fields import Field
from services.vault.store import Subject
from services.vault.store_arrays import unnest
from services.vault.tables import blind_index
from services.vault.tables_blocks import interims, provisional_blocks, watched_blocks
from services.vault.tables_links import links

# Whoever applied the block looks for its contact; the rounds come after.
_HANDLER_GOES_FIRST = timedelta(seconds=2)
# What a claim's receipt says of the deciders is no processing of the data.
_NOT_OF_DATA = (
    "claims_slice.applied",
    "consent_slice.applied",
    "order_slice.applied",
    "standing.read",
    "interim.listed",
    "block.back_dated",
    "block.provisional",
)


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
_key = bindparam("key", type_=BigInteger)
_PASS = Prepared(select(func.pg_advisory_xact_lock(_key)))
_keys = given("keys", key=BigInteger)
_TRY_PASS = Prepared(select(_keys.c.key, func.pg_try_advisory_xact_lock(_keys.c.key)))
_LOCK_CONTACTS = Prepared(select(func.pg_advisory_xact_lock_shared(_keys.c.key)))


@dataclass(frozen=True, slots=True)
class WatchedBlock:
    """An open block of a claim, whose subject's contact is looked for."""

    site: str
    subject: str
    claim_id: str
    ground: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A contact of `owner` as the blind index has it under one key version."""

    owner: str
    field: Field
    key_version: int
    digest: bytes = member(repr=False)


@dataclass(frozen=True, slots=True)
class ProvisionalRow:
    """A block that the vault made itself."""

    site: str
    subject: str
    claim_id: str
    origin_subject: str


@dataclass(frozen=True, slots=True)
class InterimRow:
    """The span between the receipt of a claim and its block, and how much was done in it."""

    since: datetime
    until: datetime
    acts: int


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
        found.setdefault((row.site_id, row.subject_id), []).append(_watched(row))
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


def lock_contacts_shared(connection: Connection, keys: Collection[int]) -> None:
    """Wait for the locks of contacts that are placed, in one order for everybody."""
    if not keys:
        return
    _LOCK_CONTACTS.run(connection, key=BigIntegers(sorted(set(keys))))


def pass_contacts(connection: Connection, keys: Collection[int]) -> None:
    """Wait until nobody who began before is placing any of these contacts.

    `connection` is of no transaction: nothing is held while another contact is waited for.
    """
    asked = BigIntegers(sorted(set(keys)))
    placed = [key for key, free in _TRY_PASS.rows(connection, key=asked) if not free]
    for key in placed:
        _PASS.run(connection, key=key)


def watched_with(
    connection: Connection, site: str, digests: Sequence[Digest]
) -> list[tuple[str, WatchedBlock]]:
    """(owner of a digest, open block of somebody else with the same contact).

    The block may be another id's of the person who has the contact: it reaches all that are linked.
    """
    person = _persons_with(site, _asked(digests))
    w = watched_blocks.c
    rows = connection.execute(
        select(person.c.owner, w.site_id, w.subject_id, w.claim_id, w.ground)
        .join_from(
            person,
            watched_blocks,
            and_(w.site_id == site, w.subject_id == person.c.subject_id),
        )
        .distinct()
        .order_by(person.c.owner, w.claim_id, w.subject_id)
    )
    return [(row.owner, _watched(row)) for row in rows]


def _persons_with(site: str, asked: TableValuedAlias) -> CTE:
    """(owner of a digest, every id of each other person who has the same contact)."""
    of_holder, of_owner = links.alias("of_holder"), links.alias("of_owner")
    account = func.coalesce(of_holder.c.account_id, blind_index.c.subject_id)
    held = and_(
        blind_index.c.site_id == site,
        blind_index.c.field == asked.c.field,
        blind_index.c.key_version == asked.c.key_version,
        blind_index.c.digest == asked.c.digest,
    )
    holders = (
        select(asked.c.owner, account.label("subject_id"))
        .select_from(
            asked.join(blind_index, held)
            .outerjoin(of_holder, _visitor(of_holder, site, blind_index.c.subject_id))
            .outerjoin(of_owner, _visitor(of_owner, site, asked.c.owner))
        )
        .where(account != func.coalesce(of_owner.c.account_id, asked.c.owner))
        .cte("holders")
    )
    of_account = and_(links.c.site_id == site, links.c.account_id == holders.c.subject_id)
    visitors = select(holders.c.owner, links.c.visitor_id).join_from(holders, links, of_account)
    return union(select(holders.c.owner, holders.c.subject_id), visitors).cte("person")


def _visitor(link: FromClause, site: str, subject: ColumnElement[str]) -> ColumnElement[bool]:
    return and_(link.c.site_id == site, link.c.visitor_id == subject)


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


def keep_interim(
    connection: Connection, subject: Subject, claim_id: str, interim: InterimRow
) -> None:
    """Keep the span; one that reaches further back takes the place of another."""
    place = {"site_id": subject[0], "subject_id": subject[1], "claim_id": claim_id}
    members = {
        "since_time": interim.since,
        "until_time": interim.until,
        "acts": interim.acts,
    }
    connection.execute(
        upsert(interims)
        .values(**place, **members)
        .on_conflict_do_update(index_elements=list(place), set_=members)
    )


def read_interim(connection: Connection, subject: Subject, claim_id: str) -> InterimRow | None:
    """The span before a block; None where the block does not reach back."""
    row = connection.execute(
        select(interims).filter_by(site_id=subject[0], subject_id=subject[1], claim_id=claim_id)
    ).one_or_none()
    return None if row is None else InterimRow(row.since_time, row.until_time, row.acts)


def counted(
    connection: Connection, site: str, pseudonym: str, since: datetime, until: datetime
) -> dict[str, int]:
    """How often each thing was done with somebody's data in a span, by event."""
    e = entries.c
    rows = connection.execute(
        select(e.event, func.count().label("times"))
        .where(*_processing(site, pseudonym, since, until))
        .group_by(e.event)
        .order_by(e.event)
    )
    return {row.event: row.times for row in rows}


def acts_between(
    connection: Connection,
    site: str,
    pseudonym: str,
    span: InterimRow,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[tuple[str, datetime, str]]:
    """(entry, time, body) of what was done with somebody's data in a span, the oldest first."""
    e = entries.c
    statement = (
        select(e.entry_id, e.record_time, e.body)
        .where(*_processing(site, pseudonym, span.since, span.until))
        .order_by(e.record_time, e.entry_id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(e.record_time, e.entry_id) > after)
    return [(row.entry_id, row.record_time, row.body) for row in connection.execute(statement)]


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


def _processing(
    site: str, pseudonym: str, since: datetime, until: datetime
) -> list[ColumnElement[bool]]:
    e = entries.c
    return [
        e.site_id == site,
        e.subject == pseudonym,
        e.record_time >= since,
        e.record_time <= until,
        e.outcome.in_((PERMITTED, DONE)),
        e.event.not_in(_NOT_OF_DATA),
        e.secret_until.is_(None),
    ]


def _whose(subjects: Collection[Subject]) -> dict[str, Texts]:
    # In one order for everybody: of two who write, neither waits for the other's rows.
    ordered = sorted(subjects)
    return {
        "site_id": Texts([site for site, _ in ordered]),
        "subject_id": Texts([subject for _, subject in ordered]),
    }


def _watched(row: object) -> WatchedBlock:
    return WatchedBlock(row.site_id, row.subject_id, row.claim_id, row.ground)  # type: ignore[attr-defined]


def _asked(digests: Sequence[Digest]) -> TableValuedAlias:
    return unnest(
        "asked",
        ("owner", Text, [d.owner for d in digests]),
        ("field", Text, [str(d.field) for d in digests]),
        ("key_version", Integer, [d.key_version for d in digests]),
        ("digest", LargeBinary, [d.digest for d in digests]),
    )
