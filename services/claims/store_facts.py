# SPDX-License-Identifier: Apache-2.0
"""SQL of what claims say of subjects: the whole of their slices (clause 6.2.3)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Text, and_, func, or_, select
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
from services.claims.claim import ClaimFact
from services.claims.state import Claimant, ClaimKind, EndKind, Outcome
from services.claims.store_same_contact import SameContactState
from services.claims.tables import claim_subjects, claims, corrections
from services.claims.tables_court import claim_ends
from services.claims.tables_verification import same_contacts

Subject = tuple[str, str]
"""(site, subject)"""


def facts_of(connection: Connection, site_id: str, subject_id: str) -> list[ClaimFact]:
    """What every claim says of a subject, the oldest first: the whole of its slice."""
    return facts_of_all(connection, [(site_id, subject_id)])[site_id, subject_id]


def facts_of_all(
    connection: Connection, subjects: Collection[Subject]
) -> dict[Subject, list[ClaimFact]]:
    """The same for many subjects, in as many statements."""
    found: dict[Subject, list[ClaimFact]] = {subject: [] for subject in subjects}
    for site_id, subject_id, *row in _NAMED.rows(connection, **_asked_for(subjects)):
        found[site_id, subject_id].append(_named_fact(*row))
    for site_id, subject_id, *row in _SHARED.rows(connection, **_asked_for(subjects)):
        found[site_id, subject_id].append(_shared_fact(*row))
    return {
        subject: sorted(facts, key=lambda fact: fact.claim_id) for subject, facts in found.items()
    }


def _ended(*kinds: EndKind) -> ScalarSelect[datetime | None]:
    """When a claim first ended so; NULL where it did not."""
    e = claim_ends.c
    return (
        select(func.min(e.record_time))
        .where(
            e.site_id == claims.c.site_id,
            e.claim_id == claims.c.claim_id,
            or_(*(e.kind == str(kind) for kind in kinds)),
        )
        .scalar_subquery()
    )


def _of(named: Any) -> ColumnElement[bool]:
    return and_(claims.c.site_id == named.site_id, claims.c.claim_id == named.claim_id)


_asked = given("asked", site_id=Text, subject_id=Text)
_named, _shared = claim_subjects.c, same_contacts.c
_NAMED = Prepared(
    select(
        _named.site_id,
        _named.subject_id,
        _named.claim_id,
        _named.hold_id,
        claims.c.kind,
        claims.c.claimant,
        claims.c.receipt_time,
        claims.c.record_time,
        claims.c.outcome,
        corrections.c.correction_id,
        claims.c.release_time,
        _ended(EndKind.COURT).label("court_time"),
        _ended(EndKind.AGREED, EndKind.CLOSED).label("hold_end_time"),
    ).select_from(
        _asked.join(
            claim_subjects,
            and_(_named.site_id == _asked.c.site_id, _named.subject_id == _asked.c.subject_id),
        )
        .join(
            claims, and_(claims.c.site_id == _named.site_id, claims.c.claim_id == _named.claim_id)
        )
        .outerjoin(
            corrections,
            and_(
                corrections.c.site_id == _named.site_id,
                corrections.c.claim_id == _named.claim_id,
                corrections.c.subject_id == _named.subject_id,
            ),
        )
    )
)
# What claims that do not name the subject say of it: blocked for its contact, or released.
_SHARED = Prepared(
    select(
        _shared.site_id,
        _shared.subject_id,
        _shared.claim_id,
        claims.c.kind,
        claims.c.claimant,
        _shared.since_time,
        _shared.block_time,
        _shared.state,
    )
    .select_from(
        _asked.join(
            same_contacts,
            and_(_shared.site_id == _asked.c.site_id, _shared.subject_id == _asked.c.subject_id),
        ).join(claims, _of(_shared))
    )
    .where(_shared.state != str(SameContactState.CONFIRMED))
)


def _named_fact(
    claim_id: str,
    hold_id: str,
    kind: str,
    claimant: str,
    receipt_time: datetime,
    record_time: datetime,
    outcome: str | None,
    correction_id: str | None,
    release_time: datetime | None,
    *ends: Any,
) -> ClaimFact:
    court_time, hold_end_time = ends
    return ClaimFact(
        claim_id,
        hold_id,
        ClaimKind(kind),
        Claimant(claimant),
        receipt_time,
        record_time,
        Outcome(outcome) if outcome else None,
        correction_id or "",
        released=release_time is not None,
        court_time=court_time,
        hold_end_time=hold_end_time,
    )


def _shared_fact(
    claim_id: str,
    kind: str,
    claimant: str,
    since_time: datetime,
    block_time: datetime,
    state: str,
) -> ClaimFact:
    return ClaimFact(
        claim_id,
        "",
        ClaimKind(kind),
        Claimant(claimant),
        since_time,
        block_time,
        None,
        "",
        released=state == SameContactState.RELEASED,
        same_contact=True,
    )


def _asked_for(subjects: Collection[Subject]) -> dict[str, Texts]:
    return {
        "site_id": Texts([site_id for site_id, _ in subjects]),
        "subject_id": Texts([subject_id for _, subject_id in subjects]),
    }
