# SPDX-License-Identifier: Apache-2.0
"""SQL of claims: their numbers, what they say, what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Row, ScalarSelect, Select, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.deadline import Deadline
from services.chassis.decider.tables import acts
from services.chassis.ids import new_uuid
from services.claims import store_same_contact
from services.claims.authority import AuthorityState
from services.claims.claim import Claim, ClaimFact, least_enforcement
from services.claims.recovery import RecoveryState
from services.claims.reminders import next_alarm
from services.claims.state import (
    WAITING,
    Claimant,
    ClaimKind,
    ClaimState,
    Decision,
    EndKind,
    Outcome,
)
from services.claims.tables import (
    claim_acts,
    claim_numbers,
    claim_subjects,
    claims,
    corrections,
)
from services.claims.tables_court import claim_ends


@dataclass(frozen=True, slots=True)
class Filter:
    """Which claims of a site are listed; None: all."""

    state: str | None = None
    due_before: date | None = None
    officer: str | None = None
    number: str | None = None


def next_ordinal(connection: Connection, site_id: str, year: int) -> int:
    """Take the next number of a site's local year; its row stays locked until the transaction
    ends, so that a rollback leaves no gap."""
    statement = upsert(claim_numbers).values(site_id=site_id, year=year, last=1)
    statement = statement.on_conflict_do_update(
        index_elements=["site_id", "year"], set_={"last": claim_numbers.c.last + 1}
    )
    return int(connection.execute(statement.returning(claim_numbers.c.last)).scalar_one())


def insert_claim(connection: Connection, claim: Claim, filed_by: str) -> None:
    """Write a new claim and whom it names. Raises UniqueViolation (on leaving the transaction)."""
    connection.execute(
        insert(claims).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            number=claim.number,
            kind=claim.kind,
            claimant=claim.claimant,
            state=claim.state,
            language=claim.language,
            receipt_time=claim.receipt_time,
            record_time=claim.record_time,
            due_date=claim.deadline.due_date,
            due_time=claim.deadline.due_time,
            calendar_version=claim.deadline.calendar_version,
            filed_by=filed_by,
            receipt_awaits=claim.receipt_awaits,
            authority=claim.authority,
            recovery=claim.recovery,
            alarm_time=(
                next_alarm(claim.deadline, claim.record_time) if claim.state in WAITING else None
            ),
        )
    )
    rows = [
        {
            "site_id": claim.site_id,
            "subject_id": subject_id,
            "claim_id": claim.claim_id,
            "position": position,
            "hold_id": new_uuid(),
        }
        for position, subject_id in enumerate(claim.subject_ids)
    ]
    if rows:
        connection.execute(insert(claim_subjects), rows)


def read_claim(
    connection: Connection, site_id: str, claim_id: str, *, lock: bool = False
) -> Claim | None:
    """A claim of the site, locked until the transaction ends where asked; None: no such claim."""
    statement = select(claims).filter_by(site_id=site_id, claim_id=claim_id)
    if lock:
        statement = statement.with_for_update()
    return next(iter(_claims(connection, site_id, connection.execute(statement).all())), None)


def list_claims(
    connection: Connection,
    site_id: str,
    wanted: Filter,
    after: tuple[date, str] | None,
    limit: int,
) -> list[Claim]:
    """Claims by due date, then by id, behind the place `after`."""
    return _claims(
        connection, site_id, connection.execute(due_list(site_id, wanted, after, limit)).all()
    )


def due_list(
    site_id: str, wanted: Filter, after: tuple[date, str] | None, limit: int
) -> Select[*tuple[object, ...]]:
    """The statement of one page of the due list, without subjects and acts."""
    statement = select(claims).where(claims.c.site_id == site_id)
    if wanted.state is not None:
        statement = statement.where(claims.c.state == wanted.state)
    if wanted.number is not None:
        statement = statement.where(claims.c.number == wanted.number)
    if wanted.officer is not None:
        statement = statement.where(claims.c.officer == wanted.officer)
    if wanted.due_before is not None:
        statement = statement.where(claims.c.due_date <= wanted.due_before)
    if after is not None:
        statement = statement.where(tuple_(claims.c.due_date, claims.c.claim_id) > after)
    return statement.order_by(claims.c.due_date, claims.c.claim_id).limit(limit)


def facts_of(connection: Connection, site_id: str, subject_id: str) -> list[ClaimFact]:
    """What every claim says of a subject, the oldest first: the whole of its slice."""
    named = _named_facts(connection, site_id, subject_id)
    shared = store_same_contact.facts_of(connection, site_id, subject_id)
    return sorted([*named, *shared], key=lambda fact: fact.claim_id)


def _named_facts(connection: Connection, site_id: str, subject_id: str) -> list[ClaimFact]:
    rows = connection.execute(
        select(
            claims.c.claim_id,
            claims.c.kind,
            claims.c.claimant,
            claims.c.receipt_time,
            claims.c.record_time,
            claims.c.outcome,
            claims.c.release_time,
            claim_subjects.c.hold_id,
            corrections.c.correction_id,
            _ended(EndKind.COURT).label("court_time"),
            _ended(EndKind.AGREED, EndKind.CLOSED).label("hold_end_time"),
        )
        .select_from(claim_subjects)
        .join(
            claims,
            (claims.c.site_id == claim_subjects.c.site_id)
            & (claims.c.claim_id == claim_subjects.c.claim_id),
        )
        .outerjoin(
            corrections,
            (corrections.c.site_id == claim_subjects.c.site_id)
            & (corrections.c.claim_id == claim_subjects.c.claim_id)
            & (corrections.c.subject_id == claim_subjects.c.subject_id),
        )
        .where(claim_subjects.c.site_id == site_id, claim_subjects.c.subject_id == subject_id)
        .order_by(claims.c.claim_id)
    )
    return [_fact(row) for row in rows]


def _ended(*kinds: EndKind) -> ScalarSelect[datetime | None]:
    """When a claim first ended so; NULL where it did not."""
    e = claim_ends.c
    return (
        select(func.min(e.record_time))
        .where(e.site_id == claims.c.site_id, e.claim_id == claims.c.claim_id, e.kind.in_(kinds))
        .scalar_subquery()
    )


def write_outcome(
    connection: Connection, claim: Claim, state: ClaimState, outcome: Outcome
) -> None:
    """The claim's verification has ended."""
    _update(connection, claim, state=state, outcome=outcome)


def write_state(connection: Connection, claim: Claim, state: ClaimState) -> None:
    """The claim is in another state."""
    _update(connection, claim, state=state)


def write_decision(
    connection: Connection,
    claim: Claim,
    state: ClaimState,
    decision: Decision,
    answer_time: datetime,
) -> None:
    """The claim was answered."""
    _update(connection, claim, state=state, decision=decision, answer_time=answer_time)


def write_receipt(
    connection: Connection,
    claim: Claim,
    receipt_time: datetime,
    deadline: Deadline,
    now: datetime,
) -> None:
    """The claim was received at another time than it said, and falls due accordingly."""
    _update(
        connection,
        claim,
        receipt_time=receipt_time,
        due_date=deadline.due_date,
        due_time=deadline.due_time,
        calendar_version=deadline.calendar_version,
        alarm_time=next_alarm(deadline, now) if claim.state in WAITING else None,
    )


def write_alarm(connection: Connection, claim: Claim, alarm_time: datetime | None) -> None:
    """When the clock has something to do next; None: nothing more."""
    _update(connection, claim, alarm_time=alarm_time)


def write_receipt_awaits(connection: Connection, claim: Claim, *, awaits: bool) -> None:
    """Whether a time of receipt waits for a second officer."""
    _update(connection, claim, receipt_awaits=awaits)


def write_release(connection: Connection, claim: Claim, now: datetime) -> None:
    """The claim's block was lifted without an outcome."""
    _update(connection, claim, release_time=now)


def write_authority(connection: Connection, claim: Claim, authority: AuthorityState) -> None:
    """The representative's authority was settled."""
    _update(connection, claim, authority=authority)


def add_subject(
    connection: Connection, claim: Claim, subject_id: str, hold_id: str | None = None
) -> None:
    """The claim names one subject more, held by a new hold or by the one given."""
    last = connection.execute(
        select(func.coalesce(func.max(claim_subjects.c.position), -1)).filter_by(
            site_id=claim.site_id, claim_id=claim.claim_id
        )
    ).scalar_one()
    connection.execute(
        insert(claim_subjects).values(
            site_id=claim.site_id,
            subject_id=subject_id,
            claim_id=claim.claim_id,
            position=int(last) + 1,
            hold_id=hold_id or new_uuid(),
        )
    )


def _update(connection: Connection, claim: Claim, **members: object) -> None:
    connection.execute(
        update(claims).filter_by(site_id=claim.site_id, claim_id=claim.claim_id).values(members)
    )


def _fact(row: Row[*tuple[object, ...]]) -> ClaimFact:
    return ClaimFact(
        row.claim_id,
        row.hold_id,
        ClaimKind(row.kind),
        Claimant(row.claimant),
        row.receipt_time,
        row.record_time,
        Outcome(row.outcome) if row.outcome else None,
        row.correction_id or "",
        released=row.release_time is not None,
        court_time=row.court_time,
        hold_end_time=row.hold_end_time,
    )


def _claims(
    connection: Connection, site_id: str, rows: Sequence[Row[*tuple[object, ...]]]
) -> list[Claim]:
    claim_ids = [str(row.claim_id) for row in rows]
    subjects = _subjects(connection, site_id, claim_ids)
    enforcements = _enforcements(connection, site_id, claim_ids)
    return [
        Claim(
            site_id=row.site_id,
            claim_id=row.claim_id,
            number=row.number,
            subject_ids=tuple(subjects.get(row.claim_id, ())),
            kind=ClaimKind(row.kind),
            claimant=Claimant(row.claimant),
            state=ClaimState(row.state),
            outcome=Outcome(row.outcome) if row.outcome else None,
            decision=Decision(row.decision) if row.decision else None,
            language=row.language,
            receipt_time=row.receipt_time,
            record_time=row.record_time,
            deadline=Deadline(row.due_date, row.due_time, row.calendar_version),
            answer_time=row.answer_time,
            enforcement=least_enforcement(enforcements.get(row.claim_id, ())),
            released=row.release_time is not None,
            receipt_awaits=row.receipt_awaits,
            authority=AuthorityState(row.authority) if row.authority else None,
            officer=row.officer,
            recovery=RecoveryState(row.recovery) if row.recovery else None,
        )
        for row in rows
    ]


def _subjects(
    connection: Connection, site_id: str, claim_ids: Sequence[str]
) -> dict[str, list[str]]:
    rows = connection.execute(
        select(claim_subjects.c.claim_id, claim_subjects.c.subject_id)
        .where(claim_subjects.c.site_id == site_id, claim_subjects.c.claim_id.in_(claim_ids))
        .order_by(claim_subjects.c.claim_id, claim_subjects.c.position)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.claim_id, []).append(row.subject_id)
    return found


def _enforcements(
    connection: Connection, site_id: str, claim_ids: Sequence[str]
) -> dict[str, set[str]]:
    rows = connection.execute(
        select(claim_acts.c.claim_id, acts.c.enforcement)
        .join(acts, acts.c.act_id == claim_acts.c.act_id)
        .where(claim_acts.c.site_id == site_id, claim_acts.c.claim_id.in_(claim_ids))
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.claim_id, set()).add(row.enforcement)
    return found
