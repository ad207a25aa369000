# SPDX-License-Identifier: Apache-2.0
"""SQL of the limits against floods of claims (clause 6.2.3)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Date, DateTime, Integer, Text, and_, or_, select, union_all
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Dates, Instants, Integers, Texts
from services.chassis.prepared import Prepared, given
from services.claims.claim import Claim
from services.claims.flooding import Filed
from services.claims.state import UNANSWERED, Claimant
from services.claims.store_facts import Subject
from services.claims.store_same_contact import SameContactState
from services.claims.tables import claim_subjects, claims
from services.claims.tables_flooding import filed_subjects
from services.claims.tables_verification import same_contacts

_MOMENT = DateTime(timezone=True)
_OWN = (Claimant.SUBJECT, Claimant.REPRESENTATIVE)


_subjects = given("subjects", site_id=Text, subject_id=Text, kind=Text, midnight=_MOMENT)
_named, _shared, _c = claim_subjects.c, same_contacts.c, claims.c
_of_subject = union_all(
    select(*_subjects.columns, _named.claim_id).join_from(
        _subjects,
        claim_subjects,
        and_(_named.site_id == _subjects.c.site_id, _named.subject_id == _subjects.c.subject_id),
    ),
    select(*_subjects.columns, _shared.claim_id).join_from(
        _subjects,
        same_contacts,
        and_(
            _shared.site_id == _subjects.c.site_id,
            _shared.subject_id == _subjects.c.subject_id,
            _shared.state == str(SameContactState.PROVISIONAL),
        ),
    ),
).subquery()
_today = _c.record_time >= _of_subject.c.midnight
_is_open = and_(
    _c.kind == _of_subject.c.kind, or_(*(_c.state == str(state) for state in sorted(UNANSWERED)))
)
_FILED = Prepared(
    select(
        _of_subject.c.site_id,
        _of_subject.c.subject_id,
        _c.claim_id,
        _is_open.label("open"),
        _today.label("today"),
    )
    .join_from(
        _of_subject,
        claims,
        and_(_c.site_id == _of_subject.c.site_id, _c.claim_id == _of_subject.c.claim_id),
    )
    .where(or_(*(_c.claimant == str(claimant) for claimant in _OWN)), or_(_is_open, _today))
    .order_by(_c.claim_id)
)


def filed_before(
    connection: Connection, new: Sequence[tuple[Claim, datetime]]
) -> Mapping[Subject, Filed]:
    """What was filed before of each subject of new claims; whoever has nothing is left out.

    `new`: claims with the last local midnight before them. The subjects' slices have to be locked:
    two claims of one subject count each other.
    """
    named = [(claim, subject_id, at) for claim, at in new for subject_id in claim.subject_ids]
    if not named:
        return {}
    rows = _FILED.rows(
        connection,
        site_id=Texts([claim.site_id for claim, _, _ in named]),
        subject_id=Texts([subject_id for _, subject_id, _ in named]),
        kind=Texts([claim.kind for claim, _, _ in named]),
        midnight=Instants([at for _, _, at in named]),
    )
    return _by_subject(rows)


def _by_subject(
    rows: Sequence[tuple[str, str, str, bool, bool]],
) -> Mapping[Subject, Filed]:
    found: dict[Subject, Filed] = {}
    for site_id, subject_id, claim_id, is_open, today in rows:
        so_far = found.get((site_id, subject_id), Filed())
        ids = (*so_far.open_claim_ids, claim_id) if is_open else so_far.open_claim_ids
        found[site_id, subject_id] = Filed(ids, so_far.today + today)
    return found


Day = tuple[str, str, date]
"""(site, credential, local day)"""

_days = given("days", site_id=Text, filed_by=Text, day=Date, count=Integer)
_counting = upsert(filed_subjects).from_select(
    _days.columns.keys(),
    # In one order everywhere: two batches never wait for each other's days.
    select(*_days.columns).order_by(_days.c.site_id, _days.c.filed_by, _days.c.day),
)
_COUNT = Prepared(
    _counting.on_conflict_do_update(
        index_elements=["site_id", "filed_by", "day"],
        set_={"count": filed_subjects.c["count"] + _counting.excluded["count"]},
    ).returning(
        filed_subjects.c.site_id,
        filed_subjects.c.filed_by,
        filed_subjects.c.day,
        filed_subjects.c["count"],
    )
)


def count(connection: Connection, named: Mapping[Day, int]) -> dict[Day, int]:
    """Count that credentials named so many subjects more; how many each named that day.

    Their rows stay locked until the transaction ends, and a rollback counts nothing.
    """
    if not named:
        return {}
    rows = _COUNT.rows(
        connection,
        site_id=Texts([site_id for site_id, _, _ in named]),
        filed_by=Texts([filed_by for _, filed_by, _ in named]),
        day=Dates([day for _, _, day in named]),
        count=Integers(named.values()),
    )
    return {(site_id, filed_by, day): count for site_id, filed_by, day, count in rows}
