# SPDX-License-Identifier: Apache-2.0
"""The register of incidents and what evidence tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import merge
from itertools import groupby
from typing import Any

from sqlalchemy import and_, func, select

from cli.consistency.matching import Reference
from cli.consistency.store_snapshot import Snapshot, plain
from services.chassis.evidence import DONE, entries
from services.chassis.pseudonym import subject_pseudonyms
from services.claims.tables_incidents import (
    exemptions,
    incident_notices,
    incident_subjects,
    incidents,
)

Place = tuple[str, str]
"""(site, incident)"""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as it stands."""

    kind: str
    cause: str
    intent: str
    author: str
    detect_time: datetime
    due_date: date
    due_time: datetime
    calendar_version: str
    overdue_time: datetime | None
    notice_time: datetime | None
    close_time: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """Notice that was given."""

    notice_id: str
    addressee: str
    author: str
    dispatch_time: datetime


@dataclass(frozen=True, slots=True)
class ExemptionRow:
    """An exemption that somebody claims."""

    exemption_id: str
    code: str
    author: str
    consent_act: str


@dataclass(frozen=True, slots=True)
class Affected:
    """A subject that the incident affects."""

    subject: str


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """An entry of an incident. `subject` is empty where it is about nobody; `subject_id` whose
    pseudonym that is, empty where nobody has it any more."""

    event: str
    principal: str
    subject: str
    subject_id: str
    decided_on: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Story:
    """All that there is of one incident; entries in the order of their time."""

    place: Place
    incident: IncidentRow | None
    notices: Sequence[NoticeRow]
    exemptions: Sequence[ExemptionRow]
    affected: Sequence[Affected]
    told: Sequence[ToldEntry]


Member = IncidentRow | NoticeRow | ExemptionRow | Affected | ToldEntry


def stories(claims: Snapshot) -> Iterator[Story]:
    """Every incident by place, and whatever names one that is not there."""
    streams: Iterable[Iterator[tuple[Place, Member]]] = (
        _incidents(claims),
        _notices(claims),
        _exemptions(claims),
        _affected(claims),
        _told(claims),
    )
    for place, members in groupby(merge(*streams, key=lambda m: m[0]), lambda m: m[0]):
        found = [member for _, member in members]
        yield Story(
            place,
            next((m for m in found if isinstance(m, IncidentRow)), None),
            [m for m in found if isinstance(m, NoticeRow)],
            [m for m in found if isinstance(m, ExemptionRow)],
            [m for m in found if isinstance(m, Affected)],
            [m for m in found if isinstance(m, ToldEntry)],
        )


def named_requests(claims: Snapshot) -> Iterator[Reference]:
    """Notices that name the request of a state body by which data left, by that request."""
    n = incident_notices.c
    statement = select(n.site_id, n.incident_id, n.notice_id, n.authority_request_id)
    statement = statement.where(n.authority_request_id.is_not(None))
    for row in claims.stream(statement.order_by(plain(n.authority_request_id))):
        key = (
            ("site_id", row.site_id),
            ("incident_id", row.incident_id),
            ("notice_id", row.notice_id),
        )
        yield Reference("incident_notices", key, row.authority_request_id)


def _incidents(claims: Snapshot) -> Iterator[tuple[Place, Member]]:
    i = incidents.c
    for row in claims.stream(select(incidents).order_by(plain(i.site_id), plain(i.incident_id))):
        yield (
            (row.site_id, row.incident_id),
            IncidentRow(
                row.kind,
                row.cause,
                row.intent,
                row.author,
                row.detect_time,
                row.due_date,
                row.due_time,
                row.calendar_version,
                row.overdue_time,
                row.notice_time,
                row.close_time,
            ),
        )


def _notices(claims: Snapshot) -> Iterator[tuple[Place, Member]]:
    n = incident_notices.c
    order = plain(n.site_id), plain(n.incident_id), n.record_time, plain(n.notice_id)
    for row in claims.stream(select(incident_notices).order_by(*order)):
        found = NoticeRow(row.notice_id, row.addressee, row.author, row.dispatch_time)
        yield (row.site_id, row.incident_id), found


def _exemptions(claims: Snapshot) -> Iterator[tuple[Place, Member]]:
    e = exemptions.c
    order = plain(e.site_id), plain(e.incident_id), plain(e.exemption_id)
    for row in claims.stream(select(exemptions).order_by(*order)):
        found = ExemptionRow(row.exemption_id, row.code, row.author, row.consent_act_id or "")
        yield (row.site_id, row.incident_id), found


def _affected(claims: Snapshot) -> Iterator[tuple[Place, Member]]:
    s = incident_subjects.c
    order = plain(s.site_id), plain(s.incident_id), plain(s.subject_id)
    for row in claims.stream(select(incident_subjects).order_by(*order)):
        yield (row.site_id, row.incident_id), Affected(row.subject_id)


def _told(claims: Snapshot) -> Iterator[tuple[Place, Member]]:
    """What was done to incidents, not who read of them."""
    e, p = entries.c, subject_pseudonyms.c
    # A body that is no JSON is another check's fault; here it must not end the statement.
    incident = func.substring(e.body, '"incident_id":"([0-9a-f-]{36})"')
    statement = (
        select(e.site_id, incident.label("incident_id"), e.event, e.subject, e.body, p.subject_id)
        .outerjoin(
            subject_pseudonyms,
            and_(p.site_id == e.site_id, p.pseudonym == e.subject, e.subject != ""),
        )
        .where(incident.is_not(None), e.outcome == DONE)
        .order_by(plain(e.site_id), plain(incident), e.record_time, plain(e.entry_id))
    )
    for row in claims.stream(statement):
        body = _body(row.body)
        decided_on = body.get("decidedOn")
        told = ToldEntry(
            row.event,
            str(body.get("principal", "")),
            row.subject,
            row.subject_id or "",
            decided_on if isinstance(decided_on, dict) else {},
        )
        yield (row.site_id, row.incident_id), told


def _body(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
