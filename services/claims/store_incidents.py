# SPDX-License-Identifier: Apache-2.0
"""SQL of the register of incidents (clauses 7.1, 7.2). Functions take the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Row, Select, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis import evidence
from services.chassis.deadline import Deadline
from services.chassis.evidence import Entry
from services.chassis.pseudonym import pseudonym_of
from services.claims.claim import Attribution
from services.claims.incident import Exemption, ExemptionCode, Incident, IncidentNotice
from services.claims.tables_incidents import (
    exemptions,
    incident_notices,
    incident_subjects,
    incidents,
)

TOLD_SUBJECTS = 1000
"""So many of those affected are told by name."""


def insert_incident(connection: Connection, incident: Incident, subject_ids: Sequence[str]) -> None:
    """Write a new incident and whom it affects."""
    connection.execute(
        insert(incidents).values(
            site_id=incident.site_id,
            incident_id=incident.incident_id,
            kind=incident.kind,
            cause=incident.cause,
            intent=incident.intent,
            detect_time=incident.detect_time,
            record_time=incident.record_time,
            author=incident.author,
            due_date=incident.deadline.due_date,
            due_time=incident.deadline.due_time,
            calendar_version=incident.deadline.calendar_version,
        )
    )
    add_subjects(connection, incident, subject_ids)


def add_subjects(connection: Connection, incident: Incident, subject_ids: Sequence[str]) -> None:
    """It affects these, too; nothing happens to those it is known to affect."""
    rows = [
        {
            "site_id": incident.site_id,
            "incident_id": incident.incident_id,
            "subject_id": subject_id,
        }
        for subject_id in subject_ids
    ]
    if rows:
        connection.execute(upsert(incident_subjects).on_conflict_do_nothing(), rows)


def read_incident(
    connection: Connection, site_id: str, incident_id: str, *, lock: bool = False
) -> Incident | None:
    """An incident of the site with its notices and exemptions, locked where asked."""
    statement = select(incidents).filter_by(site_id=site_id, incident_id=incident_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _incident(connection, row)


def list_incidents(
    connection: Connection,
    site_id: str,
    after: tuple[datetime, str] | None,
    limit: int,
    *,
    include_closed: bool,
) -> list[Incident]:
    """Incidents by the time their notice is due, behind the place `after`."""
    i = incidents.c
    statement = select(incidents).where(i.site_id == site_id)
    if not include_closed:
        statement = statement.where(i.close_time.is_(None))
    if after is not None:
        statement = statement.where(tuple_(i.due_time, i.incident_id) > after)
    rows = connection.execute(statement.order_by(i.due_time, i.incident_id).limit(limit)).all()
    return [_incident(connection, row) for row in rows]


def subjects_of(connection: Connection, incident: Incident) -> list[str]:
    """The first of those affected."""
    s = incident_subjects.c
    rows = connection.execute(
        select(s.subject_id)
        .filter_by(site_id=incident.site_id, incident_id=incident.incident_id)
        .order_by(s.subject_id)
        .limit(TOLD_SUBJECTS)
    )
    return [str(row.subject_id) for row in rows]


def assess(connection: Connection, incident: Incident, intent: str, cause: str) -> None:
    """Say how it came about."""
    _update(connection, incident, intent=intent, cause=cause)


def close(connection: Connection, incident: Incident, now: datetime) -> None:
    """Nothing more is to be done."""
    _update(connection, incident, close_time=now)


def insert_notice(connection: Connection, incident: Incident, notice: IncidentNotice) -> None:
    """Notice was given; the first one to the authorised body ends the term."""
    connection.execute(
        insert(incident_notices).values(
            site_id=incident.site_id,
            incident_id=incident.incident_id,
            notice_id=notice.notice_id,
            addressee=notice.addressee,
            channel=notice.channel,
            dispatch_time=notice.dispatch_time,
            authority_request_id=notice.authority_request_id,
            author=notice.author,
            record_time=notice.record_time,
        )
    )
    if notice.addressee == "AUTHORISED_BODY" and incident.notice_time is None:
        _update(connection, incident, notice_time=notice.dispatch_time)


def insert_exemption(connection: Connection, incident: Incident, exemption: Exemption) -> None:
    """Somebody claims it."""
    connection.execute(
        insert(exemptions).values(
            site_id=incident.site_id,
            incident_id=incident.incident_id,
            exemption_id=exemption.exemption_id,
            code=exemption.code,
            author=exemption.author,
            reference_date=exemption.reference_date,
            consent_act_id=exemption.consent_act_id,
            record_time=exemption.record_time,
        )
    )


def overdue(now: datetime, limit: int) -> Select[*tuple[object, ...]]:
    """The statement of incidents whose notice is overdue and of which nobody has said so."""
    i = incidents.c
    return (
        select(i.site_id, i.incident_id)
        .where(i.notice_time.is_(None), i.overdue_time.is_(None), i.due_time <= now)
        .order_by(i.due_time)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def mark_overdue(connection: Connection, incident: Incident, now: datetime) -> None:
    """Nobody gave notice in time; that stays said."""
    _update(connection, incident, overdue_time=now)


def append_evidence(
    connection: Connection,
    incident: Incident,
    by: Attribution,
    decided_on: Mapping[str, object],
    digests: Mapping[str, str],
    now: datetime,
    subject_ids: Sequence[str] = (),
    outcome: str = evidence.DONE,
) -> None:
    """Write an entry of the incident, and one per subject that it is about. Raises Unavailable."""
    entries = [
        Entry(
            event=by.event,
            verb=by.verb,
            outcome=outcome,
            site_id=incident.site_id,
            principal=by.principal,
            role=by.role,
            subject=pseudonym_of(connection, incident.site_id, subject_id),
            clause=by.clause,
            refs={"incident_id": incident.incident_id},
            decided_on=decided_on,
            digests=digests,
        )
        for subject_id in (*subject_ids, "")
    ]
    evidence.append_all(connection, entries, now)


def _update(connection: Connection, incident: Incident, **members: object) -> None:
    connection.execute(
        update(incidents)
        .filter_by(site_id=incident.site_id, incident_id=incident.incident_id)
        .values(members)
    )


def _incident(connection: Connection, row: Row[*tuple[object, ...]]) -> Incident:
    place = {"site_id": row.site_id, "incident_id": row.incident_id}
    affected = connection.execute(
        select(func.count()).select_from(incident_subjects).filter_by(**place)
    ).scalar_one()
    notices = connection.execute(
        select(incident_notices).filter_by(**place).order_by(incident_notices.c.record_time)
    )
    claimed = connection.execute(
        select(exemptions).filter_by(**place).order_by(exemptions.c.record_time)
    )
    return Incident(
        row.site_id,
        row.incident_id,
        row.kind,
        row.cause,
        row.intent,
        row.detect_time,
        row.record_time,
        row.author,
        Deadline(row.due_date, row.due_time, row.calendar_version),
        int(affected),
        row.overdue_time,
        row.notice_time,
        row.close_time,
        [
            IncidentNotice(
                n.notice_id,
                n.addressee,
                n.channel,
                n.dispatch_time,
                n.authority_request_id,
                n.author,
                n.record_time,
            )
            for n in notices
        ],
        [
            Exemption(
                e.exemption_id,
                ExemptionCode(e.code),
                e.author,
                e.reference_date,
                e.consent_act_id,
                e.record_time,
            )
            for e in claimed
        ],
    )
