# SPDX-License-Identifier: Apache-2.0
"""The claims service's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ScalarSelect, and_, func, select

from cli.consistency.matching import gathered, matched
from cli.consistency.store_snapshot import Snapshot, plain
from cli.consistency.store_standing import Place
from services.claims.notice import NoticeKind
from services.claims.state import EndKind
from services.claims.store_same_contact import SameContactState
from services.claims.tables import (
    answers,
    claim_numbers,
    claim_subjects,
    claims,
    corrections,
    sealed_documents,
    verifications,
)
from services.claims.tables_answers import answer_letters
from services.claims.tables_clock import claim_notices
from services.claims.tables_court import claim_ends
from services.claims.tables_recovery import mended_outcomes
from services.claims.tables_verification import same_contacts


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim with what was concluded and answered; names as they are stored."""

    site: str
    claim_id: str
    number: str
    kind: str
    claimant: str
    state: str
    outcome: str | None
    decision: str | None
    receipt_time: datetime
    record_time: datetime
    due_date: date
    due_time: datetime
    calendar_version: str
    verified: str | None
    written: str | None
    answered: str | None
    authority: str | None
    alarm_time: datetime | None
    lapse_noticed: bool
    recovery: str | None


@dataclass(frozen=True, slots=True)
class FactRow:
    """What a claim says of a subject; names as they are stored."""

    claim_id: str
    hold_id: str
    kind: str
    claimant: str
    receipt_time: datetime
    record_time: datetime
    outcome: str | None
    correction_id: str
    released: bool = False
    same_contact: bool = False
    court_time: datetime | None = None
    hold_end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A correction as either side knows it; `version` is what it made of the data."""

    correction_id: str
    site: str
    subject: str
    claim_id: str
    version: int | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as either side knows it."""

    site: str
    document_id: str
    owner: str
    bound_to: str
    kind: str
    delivered: bool


def by_number(source: Snapshot) -> Iterator[ClaimRow]:
    """Claims by (site, number)."""
    c = claims.c
    statement = (
        select(
            claims,
            # What the vault knew of a conclusion stands before what the book said after it.
            func.coalesce(mended_outcomes.c.outcome, verifications.c.outcome).label("verified"),
            answer_letters.c.decision.label("written"),
            answers.c.decision.label("told"),
            claim_notices.c.kind.label("lapse"),
        )
        .outerjoin(
            claim_notices,
            and_(
                claim_notices.c.site_id == c.site_id,
                claim_notices.c.claim_id == c.claim_id,
                claim_notices.c.kind == NoticeKind.NO_ANSWER,
            ),
        )
        .outerjoin(
            verifications,
            and_(verifications.c.site_id == c.site_id, verifications.c.claim_id == c.claim_id),
        )
        .outerjoin(
            mended_outcomes,
            and_(mended_outcomes.c.site_id == c.site_id, mended_outcomes.c.claim_id == c.claim_id),
        )
        .outerjoin(
            answer_letters,
            and_(answer_letters.c.site_id == c.site_id, answer_letters.c.claim_id == c.claim_id),
        )
        .outerjoin(answers, and_(answers.c.site_id == c.site_id, answers.c.claim_id == c.claim_id))
        .order_by(plain(c.site_id), plain(c.number))
    )
    for row in source.stream(statement):
        yield ClaimRow(
            site=row.site_id,
            claim_id=row.claim_id,
            number=row.number,
            kind=row.kind,
            claimant=row.claimant,
            state=row.state,
            outcome=row.outcome,
            decision=row.decision,
            receipt_time=row.receipt_time,
            record_time=row.record_time,
            due_date=row.due_date,
            due_time=row.due_time,
            calendar_version=row.calendar_version,
            verified=row.verified,
            written=row.written,
            answered=row.told,
            authority=row.authority,
            alarm_time=row.alarm_time,
            lapse_noticed=row.lapse is not None,
            recovery=row.recovery,
        )


def last_numbers(source: Snapshot) -> Iterator[tuple[str, int, int]]:
    """(site, year, last number given) by site and year."""
    n = claim_numbers.c
    for row in source.stream(select(claim_numbers).order_by(plain(n.site_id), n.year)):
        yield row.site_id, row.year, row.last


def facts(source: Snapshot) -> Iterator[tuple[Place, list[FactRow]]]:
    """What all claims say of each subject, by place, the oldest claim first."""
    both = matched(_named(source), _shared(source), lambda g: g[0], lambda g: g[0])
    for named, shared in both:
        place = named[0] if named is not None else shared[0] if shared is not None else ("", "")
        rows = [*(named[1] if named else ()), *(shared[1] if shared else ())]
        yield place, sorted(rows, key=lambda row: row.claim_id)


def _shared(source: Snapshot) -> Iterator[tuple[Place, list[FactRow]]]:
    """What claims say of subjects that they do not name: blocked for their contact."""
    s, c = same_contacts.c, claims.c
    statement = (
        select(
            s.site_id,
            s.subject_id,
            s.claim_id,
            s.since_time,
            s.block_time,
            s.state,
            c.kind,
            c.claimant,
        )
        .join(claims, and_(c.site_id == s.site_id, c.claim_id == s.claim_id))
        .where(s.state != SameContactState.CONFIRMED)
        .order_by(plain(s.site_id), plain(s.subject_id), plain(s.claim_id))
    )
    for place, rows in gathered(source.stream(statement), lambda r: (r.site_id, r.subject_id)):
        yield (
            place,
            [
                FactRow(
                    r.claim_id,
                    "",
                    r.kind,
                    r.claimant,
                    r.since_time,
                    r.block_time,
                    None,
                    "",
                    released=r.state == SameContactState.RELEASED,
                    same_contact=True,
                )
                for r in rows
            ],
        )


def _named(source: Snapshot) -> Iterator[tuple[Place, list[FactRow]]]:
    """What claims say of those they name."""
    s, c, k = claim_subjects.c, claims.c, corrections.c
    statement = (
        select(
            s.site_id,
            s.subject_id,
            s.hold_id,
            c.claim_id,
            c.kind,
            c.claimant,
            c.receipt_time,
            c.record_time,
            c.outcome,
            c.release_time,
            k.correction_id,
            _ended(EndKind.COURT).label("court_time"),
            _ended(EndKind.AGREED, EndKind.CLOSED).label("hold_end_time"),
        )
        .select_from(claim_subjects)
        .join(claims, and_(c.site_id == s.site_id, c.claim_id == s.claim_id))
        .outerjoin(
            corrections,
            and_(
                k.site_id == s.site_id,
                k.claim_id == s.claim_id,
                k.subject_id == s.subject_id,
            ),
        )
        .order_by(plain(s.site_id), plain(s.subject_id), plain(c.claim_id))
    )
    for place, rows in gathered(source.stream(statement), lambda r: (r.site_id, r.subject_id)):
        yield (
            place,
            [
                FactRow(
                    r.claim_id,
                    r.hold_id,
                    r.kind,
                    r.claimant,
                    r.receipt_time,
                    r.record_time,
                    r.outcome,
                    r.correction_id or "",
                    released=r.release_time is not None,
                    court_time=r.court_time,
                    hold_end_time=r.hold_end_time,
                )
                for r in rows
            ],
        )


def _ended(*kinds: EndKind) -> ScalarSelect[datetime | None]:
    e = claim_ends.c
    same = and_(e.site_id == claims.c.site_id, e.claim_id == claims.c.claim_id)
    return select(func.min(e.record_time)).where(same, e.kind.in_(kinds)).scalar_subquery()


def concluded_corrections(source: Snapshot) -> Iterator[CorrectionRow]:
    """Corrections that claims were concluded with, by id."""
    statement = select(corrections).order_by(plain(corrections.c.correction_id))
    for r in source.stream(statement):
        yield CorrectionRow(r.correction_id, r.site_id, r.subject_id, r.claim_id, r.version)


def sent_documents(source: Snapshot) -> Iterator[DocumentRow]:
    """Texts on their way to the vault or there already, by (site, document)."""
    d = sealed_documents.c
    statement = select(
        d.site_id, d.document_id, d.owner_id, d.bound_to, d.kind, d.delivered_time
    ).order_by(plain(d.site_id), plain(d.document_id))
    for r in source.stream(statement):
        delivered = r.delivered_time is not None
        yield DocumentRow(r.site_id, r.document_id, r.owner_id, r.bound_to, r.kind, delivered)
