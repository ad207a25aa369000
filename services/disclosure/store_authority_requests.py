# SPDX-License-Identifier: Apache-2.0
"""SQL of the requests of state bodies, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    and_,
    case,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Connection, Row

from services.chassis.deadline import Deadline
from services.disclosure.authority_request import (
    ENDED,
    OWED,
    AuthorityRequest,
    Category,
    Decision,
    GroundKind,
    LegalDocument,
    LegalGround,
    RequestState,
)
from services.disclosure.tables_authorities import authorities, authority_requests


@dataclass(frozen=True, slots=True)
class Owed:
    """Requests that wait for an answer at `now`, due on `day` or before; overdue where None."""

    now: datetime
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many requests of a body, on a ground, stand so."""

    authority_id: str
    legal_name: str
    ground: GroundKind
    outcome: RequestState
    count: int


def save(connection: Connection, request: AuthorityRequest) -> None:
    """Write a request whole: a new one, or one whose row the caller has locked."""
    values = _values(request)
    place = {"site_id": request.site_id, "request_id": request.request_id}
    changed = connection.execute(update(authority_requests).filter_by(**place).values(values))
    if not changed.rowcount:
        connection.execute(insert(authority_requests).values(**place, **values))


def find(
    connection: Connection, site_id: str, request_id: str, *, lock: bool = False
) -> AuthorityRequest | None:
    """A request of the site; `lock` holds its row."""
    statement = select(authority_requests).filter_by(site_id=site_id, request_id=request_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _request(row)


def find_by_code(connection: Connection, code_sha256: str) -> AuthorityRequest | None:
    """The request that a code is out for, of whatever site, its row locked."""
    row = connection.execute(
        select(authority_requests).filter_by(code_sha256=code_sha256).with_for_update()
    ).one_or_none()
    return None if row is None else _request(row)


def listed(
    connection: Connection,
    site_id: str,
    before: tuple[datetime, str] | None,
    limit: int,
    owed: Owed | None,
) -> list[AuthorityRequest]:
    """Requests of the site, newest first, before the one at (time, id) `before`.

    Only those that are owed so, where `owed` is given.
    """
    r = authority_requests.c
    statement = (
        select(authority_requests)
        .where(r.site_id == site_id)
        .order_by(r.submit_time.desc(), r.request_id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(tuple_(r.submit_time, r.request_id) < before)
    if owed is not None:
        statement = statement.where(_is_owed(owed))
    return [_request(row) for row in connection.execute(statement)]


def count_overdue(connection: Connection, now: datetime) -> int:
    """How many requests, of all sites, are overdue at `now`."""
    overdue = select(func.count()).select_from(authority_requests).where(_is_owed(Owed(now)))
    return int(connection.execute(overdue).scalar_one())


def _is_owed(owed: Owed) -> ColumnElement[bool]:
    """As `AuthorityRequest.overdue` says it."""
    r = authority_requests.c
    # In the words of the index; READY stays among them because its code may lapse.
    open_ = literal_column("state IN ('PENDING', 'APPROVED', 'HELD', 'READY')", Boolean())
    over = or_(r.code_expire_time <= owed.now, r.expire_time <= owed.now)
    lapsed = and_(r.state == RequestState.READY, over)
    due = r.due_time <= owed.now if owed.day is None else r.due_date <= owed.day
    return and_(open_, due, or_(r.state.in_(sorted(OWED)), lapsed))


def tallies(
    connection: Connection, site_id: str, span: tuple[datetime, datetime], now: datetime
) -> tuple[list[Tally], int]:
    """What was entered from the first instant on and before the second, and how many are secret."""
    r = authority_requests.c
    entered = and_(r.site_id == site_id, r.submit_time >= span[0], r.submit_time < span[1])
    told = or_(r.secret_until.is_(None), r.secret_until <= now)
    lapsed = and_(r.expire_time <= now, r.state.not_in(sorted(ENDED)))
    outcome = case((lapsed, literal(RequestState.EXPIRED)), else_=r.state).label("outcome")
    number = func.count().label("number")
    rows = connection.execute(
        select(r.authority_id, authorities.c.legal_name, r.ground_kind, outcome, number)
        .join(
            authorities,
            and_(authorities.c.site_id == r.site_id, authorities.c.authority_id == r.authority_id),
        )
        .where(entered, told)
        .group_by(r.authority_id, authorities.c.legal_name, r.ground_kind, outcome)
        .order_by(authorities.c.legal_name, r.authority_id, r.ground_kind, outcome)
    )
    counts = [
        Tally(
            row.authority_id,
            row.legal_name,
            GroundKind(row.ground_kind),
            RequestState(row.outcome),
            row.number,
        )
        for row in rows
    ]
    every = connection.execute(
        select(func.count()).select_from(authority_requests).where(entered)
    ).scalar_one()
    return counts, int(every) - sum(each.count for each in counts)


def _values(request: AuthorityRequest) -> Mapping[str, object]:
    ground, document, decision = request.ground, request.document, request.decision
    return {
        "authority_id": request.authority_id,
        "subject_id": request.subject_id,
        "ground_kind": ground.kind,
        "act": ground.act,
        "article": ground.article,
        "claim_id": ground.claim_id,
        "document_kind": document.kind,
        "document_number": document.number,
        "document_date": document.day,
        "document_sha256": document.sha256,
        "categories": list(request.categories),
        "approved": list(request.approved),
        "due_date": request.due.due_date,
        "due_time": request.due.due_time,
        "due_calendar": request.due.calendar_version,
        "expire_time": request.expire_time,
        "secret_until": request.secret_until,
        "state": request.state,
        "submitted_by": decision.submitted_by,
        "submit_time": decision.submit_time,
        "decided_by": decision.decided_by,
        "decide_time": decision.decide_time,
        "released_by": decision.released_by,
        "compelled": decision.compelled,
        "official_id": request.official_id,
        "text_id": request.text_id,
        "code_sha256": request.code_sha256,
        "code_expire_time": request.code_expire_time,
        "pick_up_time": request.pick_up_time,
        "disputed_since": request.disputed_since,
    }


def _request(row: Row[Any]) -> AuthorityRequest:
    return AuthorityRequest(
        site_id=row.site_id,
        request_id=row.request_id,
        authority_id=row.authority_id,
        subject_id=row.subject_id,
        ground=LegalGround(GroundKind(row.ground_kind), row.act, row.article, row.claim_id),
        document=LegalDocument(
            row.document_kind, row.document_number, row.document_date, row.document_sha256
        ),
        categories=tuple(Category(each) for each in row.categories),
        approved=tuple(Category(each) for each in row.approved),
        due=Deadline(row.due_date, row.due_time, row.due_calendar),
        expire_time=row.expire_time,
        secret_until=row.secret_until,
        state=RequestState(row.state),
        decision=Decision(
            row.submitted_by,
            row.submit_time,
            row.decided_by,
            row.decide_time,
            row.released_by,
            row.compelled,
        ),
        official_id=row.official_id,
        text_id=row.text_id,
        code_sha256=row.code_sha256,
        code_expire_time=row.code_expire_time,
        pick_up_time=row.pick_up_time,
        disputed_since=row.disputed_since,
    )
