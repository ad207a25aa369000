# SPDX-License-Identifier: Apache-2.0
"""SQL of claims: what they are, and what became of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, Text, and_, func, insert, select, tuple_, update
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.deadline import Deadline
from services.chassis.decider.tables import acts
from services.chassis.ids import new_uuid
from services.chassis.prepared import Prepared, given, matching
from services.claims.authority import AuthorityState
from services.claims.claim import Claim, least_enforcement
from services.claims.recovery import RecoveryState
from services.claims.reminders import next_alarm
from services.claims.state import (
    WAITING,
    Claimant,
    ClaimKind,
    ClaimState,
    Decision,
    Outcome,
)
from services.claims.tables import claim_acts, claim_subjects, claims

Place = tuple[str, str]
"""(site, claim)"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which claims of a site are listed; None: all."""

    state: str | None = None
    due_before: date | None = None
    officer: str | None = None
    number: str | None = None


_CLAIM = tuple(claims.columns)
_places = given("places", site_id=Text, claim_id=Text)
_READ = Prepared(
    select(*_CLAIM).join_from(
        _places,
        claims,
        and_(claims.c.site_id == _places.c.site_id, claims.c.claim_id == _places.c.claim_id),
    )
)
_one = select(*_CLAIM).where(matching(claims.c.site_id, claims.c.claim_id))
_READ_ONE, _LOCK_ONE = Prepared(_one), Prepared(_one.with_for_update())


def read_claims(connection: Connection, places: Collection[Place]) -> dict[Place, Claim]:
    """Those of the claims that there are; who asks for one several times gets it once."""
    rows = _READ.rows(connection, **_placed(set(places)))
    return {(claim.site_id, claim.claim_id): claim for claim in _claims(connection, rows)}


def read_claim(
    connection: Connection, site_id: str, claim_id: str, *, lock: bool = False
) -> Claim | None:
    """A claim of the site, locked until the transaction ends where asked; None: no such claim."""
    row = (_LOCK_ONE if lock else _READ_ONE).first(connection, site_id=site_id, claim_id=claim_id)
    return None if row is None else next(iter(_claims(connection, [row])))


def list_claims(
    connection: Connection,
    site_id: str,
    wanted: Filter,
    after: tuple[date, str] | None,
    limit: int,
) -> list[Claim]:
    """Claims by due date, then by id, behind the place `after`."""
    return _claims(connection, connection.execute(due_list(site_id, wanted, after, limit)).all())


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


def _claims(connection: Connection, rows: Sequence[Any]) -> list[Claim]:
    places = [(row.site_id, row.claim_id) for row in rows]
    subjects = _subjects(connection, places)
    enforcements = _enforcements(connection, places)
    return [
        Claim(
            site_id=row.site_id,
            claim_id=row.claim_id,
            number=row.number,
            subject_ids=tuple(subjects.get(place, ())),
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
            enforcement=least_enforcement(enforcements.get(place, ())),
            released=row.release_time is not None,
            receipt_awaits=row.receipt_awaits,
            authority=AuthorityState(row.authority) if row.authority else None,
            officer=row.officer,
            recovery=RecoveryState(row.recovery) if row.recovery else None,
        )
        for row, place in zip(rows, places, strict=True)
    ]


_SUBJECTS = Prepared(
    select(claim_subjects.c.site_id, claim_subjects.c.claim_id, claim_subjects.c.subject_id)
    .join_from(
        _places,
        claim_subjects,
        and_(
            claim_subjects.c.site_id == _places.c.site_id,
            claim_subjects.c.claim_id == _places.c.claim_id,
        ),
    )
    .order_by(claim_subjects.c.site_id, claim_subjects.c.claim_id, claim_subjects.c.position)
)


def _subjects(connection: Connection, places: Collection[Place]) -> dict[Place, list[str]]:
    found: dict[Place, list[str]] = {}
    for site_id, claim_id, subject_id in _SUBJECTS.rows(connection, **_placed(places)):
        found.setdefault((site_id, claim_id), []).append(subject_id)
    return found


_ENFORCEMENTS = Prepared(
    select(claim_acts.c.site_id, claim_acts.c.claim_id, acts.c.enforcement)
    .select_from(
        _places.join(
            claim_acts,
            and_(
                claim_acts.c.site_id == _places.c.site_id,
                claim_acts.c.claim_id == _places.c.claim_id,
            ),
        ).join(acts, acts.c.act_id == claim_acts.c.act_id)
    )
    .distinct()
)


def _enforcements(connection: Connection, places: Collection[Place]) -> dict[Place, set[str]]:
    found: dict[Place, set[str]] = {}
    for site_id, claim_id, enforcement in _ENFORCEMENTS.rows(connection, **_placed(places)):
        found.setdefault((site_id, claim_id), set()).add(enforcement)
    return found


def _placed(places: Collection[Place]) -> dict[str, Texts]:
    return {
        "site_id": Texts([site_id for site_id, _ in places]),
        "claim_id": Texts([claim_id for _, claim_id in places]),
    }
