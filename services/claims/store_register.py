# SPDX-License-Identifier: Apache-2.0
"""SQL of new claims: their numbers without gaps, their rows, and whom they name (clause 8.1)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Text,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Booleans, Dates, Instants, Integers, Texts
from services.chassis.deadline import local_date
from services.chassis.prepared import Prepared, given
from services.claims.claim import Claim
from services.claims.intake import claim_number
from services.claims.reminders import next_alarm
from services.claims.state import WAITING
from services.claims.tables import claim_numbers, claim_subjects, claims

_wanted = given("wanted", site_id=Text, year=Integer, last=Integer)
_numbering = upsert(claim_numbers).from_select(
    _wanted.columns.keys(),
    select(*_wanted.columns).order_by(_wanted.c.site_id, _wanted.c.year),
)
_NUMBERS = Prepared(
    _numbering.on_conflict_do_update(
        index_elements=["site_id", "year"],
        set_={"last": claim_numbers.c.last + _numbering.excluded.last},
    ).returning(claim_numbers.c.site_id, claim_numbers.c.year, claim_numbers.c.last)
)


def numbered(connection: Connection, wanted: Sequence[Claim]) -> list[Claim]:
    """Claims with the next numbers of their site's local year, that of their recording.

    Its row stays locked until the transaction ends, so that a rollback leaves no gap.
    """
    places = [(claim.site_id, local_date(claim.record_time).year) for claim in wanted]
    counts = {place: places.count(place) for place in dict.fromkeys(places)}
    if not counts:
        return []
    rows = _NUMBERS.rows(
        connection,
        site_id=Texts([site_id for site_id, _ in counts]),
        year=Integers([year for _, year in counts]),
        last=Integers(counts.values()),
    )
    following = {(site_id, year): last - counts[site_id, year] for site_id, year, last in rows}
    claims_ = []
    for claim, place in zip(wanted, places, strict=True):
        following[place] += 1
        claims_.append(replace(claim, number=claim_number(place[1], following[place])))
    return claims_


_new = given(
    "new",
    site_id=Text,
    claim_id=Text,
    number=Text,
    kind=Text,
    claimant=Text,
    state=Text,
    language=Text,
    receipt_time=DateTime(timezone=True),
    record_time=DateTime(timezone=True),
    due_date=Date,
    due_time=DateTime(timezone=True),
    calendar_version=Text,
    filed_by=Text,
    receipt_awaits=Boolean,
    alarm_time=DateTime(timezone=True),
    authority=Text,
    recovery=Text,
)
_NONE: ColumnElement[str] = literal_column("''")
_INSERT = Prepared(
    insert(claims).from_select(
        _new.columns.keys(),
        # The last two: hardly a claim is a representative's, or was ever lost.
        select(*_new.columns[:-2], *(func.nullif(each, _NONE) for each in _new.columns[-2:])),
    )
)


def insert_claims(connection: Connection, filed: Sequence[tuple[Claim, str]]) -> None:
    """Write new claims, each with who files it; whom they name comes after."""
    new = [claim for claim, _ in filed]
    _INSERT.run(
        connection,
        site_id=Texts([claim.site_id for claim in new]),
        claim_id=Texts([claim.claim_id for claim in new]),
        number=Texts([claim.number for claim in new]),
        kind=Texts([claim.kind for claim in new]),
        claimant=Texts([claim.claimant for claim in new]),
        state=Texts([claim.state for claim in new]),
        language=Texts([claim.language for claim in new]),
        receipt_time=Instants([claim.receipt_time for claim in new]),
        record_time=Instants([claim.record_time for claim in new]),
        due_date=Dates([claim.deadline.due_date for claim in new]),
        due_time=Instants([claim.deadline.due_time for claim in new]),
        calendar_version=Texts([claim.deadline.calendar_version for claim in new]),
        filed_by=Texts([filed_by for _, filed_by in filed]),
        receipt_awaits=Booleans([claim.receipt_awaits for claim in new]),
        alarm_time=Instants([_alarm_time(claim) for claim in new]),
        authority=Texts([claim.authority or "" for claim in new]),
        recovery=Texts([claim.recovery or "" for claim in new]),
    )


def _alarm_time(claim: Claim) -> datetime | None:
    return next_alarm(claim.deadline, claim.record_time) if claim.state in WAITING else None


_subjects = given(
    "new", site_id=Text, subject_id=Text, claim_id=Text, position=Integer, hold_id=Text
)
_INSERT_SUBJECTS = Prepared(
    insert(claim_subjects).from_select(_subjects.columns.keys(), select(*_subjects.columns))
)


def insert_subjects(connection: Connection, named: Sequence[tuple[Claim, str, int, str]]) -> None:
    """Say whom new claims name: (claim, subject, position, hold)."""
    if named:
        _INSERT_SUBJECTS.run(
            connection,
            site_id=Texts([claim.site_id for claim, *_ in named]),
            subject_id=Texts([subject_id for _, subject_id, _, _ in named]),
            claim_id=Texts([claim.claim_id for claim, *_ in named]),
            position=Integers([position for _, _, position, _ in named]),
            hold_id=Texts([hold_id for *_, hold_id in named]),
        )
