# SPDX-License-Identifier: Apache-2.0
"""SQL of what was done before a block that reaches back; in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.evidence import DONE, PERMITTED, entries
from services.vault.store import Subject
from services.vault.tables_blocks import interims

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


@dataclass(frozen=True, slots=True)
class InterimRow:
    """The span between the receipt of a claim and its block, and how much was done in it."""

    since: datetime
    until: datetime
    acts: int


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
