# SPDX-License-Identifier: Apache-2.0
"""SQL of ends in the vault's database: what a subject has, clearing it, and where each end stands.

Every function takes the caller's transaction. Whoever writes holds the exclusive lock of the
subject; whoever decides on what `held` and `read` say holds its lock too. Lists take no lock: what
they tell may be over by the time it is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Column, Table, delete, func, null, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.idempotency import idempotency_keys
from services.vault import store_blocks
from services.vault.retention import Category, Held
from services.vault.store import Subject
from services.vault.tables import (
    blind_index,
    corrections,
    data,
    data_history,
    documents,
    slices,
    subjects,
)
from services.vault.tables_access import access_codes, access_sessions
from services.vault.tables_batches import stored_items
from services.vault.tables_blocks import interims
from services.vault.tables_destruction import destructions
from services.vault.tables_links import links
from services.vault.tables_records import purchases, visits

DUE, RESTRICTED, DONE = "DUE", "RESTRICTED", "DONE"
_LONG = text("SET LOCAL statement_timeout = '60s'")


class Ends(NamedTuple):
    """A table that ends with a subject: its column of the subject, that of the time, if any."""

    category: Category
    table: Table
    owner: Column[str]
    time: Column[datetime] | None


# Everything of the vault's that ends with a subject; a test knows of every other table why not.
ENDING: Final = (
    Ends(Category.DATA, data, data.c.subject_id, data.c.store_time),
    Ends(Category.FORMER_DATA, data_history, data_history.c.subject_id, data_history.c.store_time),
    Ends(Category.VISITS, visits, visits.c.subject_id, visits.c.store_time),
    Ends(Category.PURCHASES, purchases, purchases.c.subject_id, purchases.c.store_time),
    Ends(Category.DOCUMENTS, documents, documents.c.owner_id, documents.c.store_time),
    Ends(Category.CORRECTIONS, corrections, corrections.c.subject_id, corrections.c.stage_time),
    Ends(Category.INDEX_ENTRIES, blind_index, blind_index.c.subject_id, None),
    Ends(Category.BATCH_ITEMS, stored_items, stored_items.c.subject_id, stored_items.c.store_time),
    Ends(Category.STANDING, slices, slices.c.subject_id, slices.c.apply_time),
    Ends(Category.STANDING, interims, interims.c.subject_id, None),
    Ends(Category.ACCESS, access_codes, access_codes.c.subject_id, access_codes.c.create_time),
    Ends(
        Category.ACCESS,
        access_sessions,
        access_sessions.c.subject_id,
        access_sessions.c.create_time,
    ),
)
ALL: Final = frozenset(each.category for each in ENDING)


@dataclass(frozen=True, slots=True)
class DestructionRow:
    """A destruction from its cause to its end; `document` is the certificate, empty before."""

    site: str
    subject: str
    destruction_id: str
    state: str
    ground: str
    claim_id: str
    due_time: datetime
    end_time: datetime | None = None
    executed_by: str = ""
    request_id: str = ""
    document: str = ""
    entry_id: str = ""


def held(
    connection: Connection,
    site: str,
    wanted: Collection[str],
    categories: Collection[Category] = ALL,
) -> dict[str, dict[Category, Held]]:
    """How many rows of these categories each subject has, and the time of the newest.

    A statement for each table, however many subjects.
    """
    connection.execute(_LONG)
    none = dict.fromkeys(categories, Held(0, None))
    found = {subject: dict(none) for subject in wanted}
    for category, table, owner, time in ENDING:
        if category not in categories:
            continue
        newest = null() if time is None else func.max(time)
        counted = (
            select(owner, func.count(), newest)
            .where(table.c.site_id == site, owner.in_(sorted(wanted)))
            .group_by(owner)
        )
        for subject, rows, latest in connection.execute(counted):
            before = found[subject][category]
            times = [t for t in (before.newest, latest) if t]
            found[subject][category] = Held(before.rows + rows, max(times, default=None))
    return found


def clear(connection: Connection, subject: Subject, now: datetime) -> None:
    """Delete all that ends with a subject; its row stays, as destroyed, for ever."""
    connection.execute(_LONG)
    for _, table, owner, _time in ENDING:
        connection.execute(delete(table).where(table.c.site_id == subject[0], owner == subject[1]))
    site, subject_id = subject
    # A caller may have named the person in its keys; there are those of 72 hours at most.
    k = idempotency_keys.c
    named = or_(func.strpos(k.request_id, subject_id) > 0, func.strpos(k.result_id, subject_id) > 0)
    ours = func.starts_with(k.principal, f"{site}|")
    connection.execute(delete(idempotency_keys).where(ours, named))
    mine = or_(links.c.visitor_id == subject_id, links.c.account_id == subject_id)
    connection.execute(delete(links).where(links.c.site_id == site, mine))
    store_blocks.forget(connection, subject)
    members = {"life": "DESTROYED", "data_version": 0}
    connection.execute(
        upsert(subjects)
        .values(site_id=subject[0], subject_id=subject[1], create_time=now, **members)
        .on_conflict_do_update(index_elements=["site_id", "subject_id"], set_=members)
    )


def restrict(connection: Connection, subject: Subject, now: datetime) -> None:
    """From now on a statutory term keeps the subject, also one the database has forgotten."""
    connection.execute(
        upsert(subjects)
        .values(
            site_id=subject[0],
            subject_id=subject[1],
            life="RESTRICTED",
            data_version=0,
            create_time=now,
        )
        .on_conflict_do_update(
            index_elements=["site_id", "subject_id"],
            set_={"life": "RESTRICTED"},
            where=subjects.c.life != "DESTROYED",
        )
    )


def restricted(connection: Connection, wanted: Collection[Subject]) -> set[Subject]:
    """Those of the subjects that are restricted or destroyed."""
    s = subjects.c
    rows = connection.execute(
        select(s.site_id, s.subject_id).where(
            tuple_(s.site_id, s.subject_id).in_(sorted(wanted)),
            s.life.in_(("RESTRICTED", "DESTROYED")),
        )
    )
    return {(row.site_id, row.subject_id) for row in rows}


def read(connection: Connection, subject: Subject) -> DestructionRow | None:
    """A subject's destruction; None where none was ever due."""
    row = connection.execute(
        select(destructions).filter_by(site_id=subject[0], subject_id=subject[1])
    ).one_or_none()
    return DestructionRow(*row) if row else None


def write(connection: Connection, row: DestructionRow) -> None:
    """Put a destruction in the place of the subject's former one."""
    members = {
        "destruction_id": row.destruction_id,
        "state": row.state,
        "ground": row.ground,
        "claim_id": row.claim_id,
        "due_time": row.due_time,
        "end_time": row.end_time,
        "executed_by": row.executed_by,
        "request_id": row.request_id,
        "document": row.document,
        "entry_id": row.entry_id,
    }
    connection.execute(
        upsert(destructions)
        .values(site_id=row.site, subject_id=row.subject, **members)
        .on_conflict_do_update(index_elements=["site_id", "subject_id"], set_=members)
    )


def listed(
    connection: Connection, site: str, state: str, after: Sequence[str] | None, limit: int
) -> list[DestructionRow]:
    """Destructions of a site in a state by (due time, subject), after a place."""
    d = destructions.c
    here = [d.site_id == site, d.state == state]
    if after is not None:
        here.append(
            tuple_(d.due_time, d.subject_id) > tuple_(datetime.fromisoformat(after[0]), after[1])
        )
    rows = connection.execute(
        select(destructions).where(*here).order_by(d.due_time, d.subject_id).limit(limit)
    )
    return [DestructionRow(*row) for row in rows]


def done(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, str]:
    """The destruction id of those subjects that are destroyed and cleared."""
    d, s = destructions.c, subjects.c
    rows = connection.execute(
        select(d.site_id, d.subject_id, d.destruction_id)
        .join(subjects, (s.site_id == d.site_id) & (s.subject_id == d.subject_id))
        .where(
            tuple_(d.site_id, d.subject_id).in_(sorted(wanted)),
            d.state == DONE,
            s.life == "DESTROYED",
        )
    )
    return {(r.site_id, r.subject_id): r.destruction_id for r in rows}


def ended(connection: Connection, after: Subject, limit: int) -> list[Subject]:
    """Who has ended, by (site, subject), after a place."""
    d = destructions.c
    rows = connection.execute(
        select(d.site_id, d.subject_id)
        .where(d.state == DONE, tuple_(d.site_id, d.subject_id) > tuple_(*after))
        .order_by(d.site_id, d.subject_id)
        .limit(limit)
    )
    return [(row.site_id, row.subject_id) for row in rows]


def all_done(connection: Connection, after: Subject, limit: int) -> list[DestructionRow]:
    """Destructions that are done by (site, subject), after a place."""
    d = destructions.c
    rows = connection.execute(
        select(destructions)
        .where(d.state == DONE, tuple_(d.site_id, d.subject_id) > tuple_(*after))
        .order_by(d.site_id, d.subject_id)
        .limit(limit)
    )
    return [DestructionRow(*row) for row in rows]
