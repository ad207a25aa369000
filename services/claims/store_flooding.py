# SPDX-License-Identifier: Apache-2.0
"""SQL of the limits against floods of claims (clause 6.2.3)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import and_, or_, select, union_all
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.claims.claim import Claim
from services.claims.flooding import Filed
from services.claims.state import UNANSWERED, Claimant
from services.claims.store_same_contact import SameContactState
from services.claims.tables import claim_subjects, claims
from services.claims.tables_flooding import filed_subjects
from services.claims.tables_verification import same_contacts

_OWN = (Claimant.SUBJECT, Claimant.REPRESENTATIVE)


def filed_before(connection: Connection, claim: Claim, midnight: datetime) -> Mapping[str, Filed]:
    """What was filed before of each subject of a new claim; whoever has nothing is left out.

    The subjects' slices have to be locked: two claims of one subject count each other.
    """
    named, shared, c = claim_subjects.c, same_contacts.c, claims.c
    of_subject = union_all(
        select(named.subject_id, named.claim_id).where(
            named.site_id == claim.site_id, named.subject_id.in_(claim.subject_ids)
        ),
        select(shared.subject_id, shared.claim_id).where(
            shared.site_id == claim.site_id,
            shared.subject_id.in_(claim.subject_ids),
            shared.state == SameContactState.PROVISIONAL,
        ),
    ).subquery()
    is_open = and_(c.kind == claim.kind, c.state.in_(UNANSWERED))
    rows = connection.execute(
        select(of_subject.c.subject_id, c.claim_id, c.record_time, is_open.label("open"))
        .join(claims, and_(c.site_id == claim.site_id, c.claim_id == of_subject.c.claim_id))
        .where(c.claimant.in_(_OWN), or_(is_open, c.record_time >= midnight))
        .order_by(c.claim_id)
    )
    return _by_subject(
        [(r.subject_id, r.claim_id, bool(r.open), r.record_time >= midnight) for r in rows]
    )


def _by_subject(rows: Sequence[tuple[str, str, bool, bool]]) -> Mapping[str, Filed]:
    found: dict[str, Filed] = {}
    for subject_id, claim_id, is_open, today in rows:
        so_far = found.get(subject_id, Filed())
        ids = (*so_far.open_claim_ids, claim_id) if is_open else so_far.open_claim_ids
        found[subject_id] = Filed(ids, so_far.today + today)
    return found


def count(connection: Connection, site_id: str, filed_by: str, day: date, named: int) -> int:
    """Count that a credential named so many subjects more; how many it named that day.

    Its row stays locked until the transaction ends, and a rollback counts nothing.
    """
    statement = upsert(filed_subjects).values(
        site_id=site_id, filed_by=filed_by, day=day, count=named
    )
    statement = statement.on_conflict_do_update(
        index_elements=["site_id", "filed_by", "day"],
        set_={"count": filed_subjects.c["count"] + statement.excluded["count"]},
    )
    return int(connection.execute(statement.returning(filed_subjects.c["count"])).scalar_one())
