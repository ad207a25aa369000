# SPDX-License-Identifier: Apache-2.0
"""SQL of the append-only history of a subject."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.engine import Connection, Row

from services.consent.book import Event, Kind
from services.consent.declaration import (
    HERE_AND_NOW,
    Authority,
    AuthorityKind,
    Declarant,
    Declaration,
    Paper,
)
from services.consent.tables import events
from services.consent.use import Use, UseKind


def append_event(
    connection: Connection, site_id: str, subject_id: str, sequence: int, event: Event
) -> None:
    """Write an event as the subject's event number `sequence`."""
    use = event.use
    connection.execute(
        insert(events).values(
            site_id=site_id,
            subject_id=subject_id,
            sequence=sequence,
            event_id=event.event_id,
            kind=str(event.kind),
            time=event.time,
            principal=event.principal,
            act_id=event.act_id,
            policy_version=event.policy_version,
            policy_sha256=event.policy_sha256,
            language=event.language,
            purpose=event.purpose,
            wording_sha256=event.wording_sha256,
            expire_time=event.expire_time,
            use_kind=str(use.kind) if use else None,
            page_digest=use.page_digest if use else None,
            notice_shown=use.notice_shown if use else None,
            client_time=use.client_time if use else None,
            technical_digest=(use.technical_digest or None) if use else None,
            account_id=event.account_id or None,
            link_fault=event.link_fault or None,
            link_reference=event.link_reference or None,
            carried_time=event.carried_time,
            carried_end_time=event.carried_end_time,
            **_declaration_columns(event.declaration),
        )
    )


def read_event(connection: Connection, site_id: str, event_id: str) -> tuple[str, Event] | None:
    """The subject of an event and the event, or None."""
    row = connection.execute(
        select(events).filter_by(event_id=event_id, site_id=site_id)
    ).one_or_none()
    return None if row is None else (row.subject_id, event_of(row))


def read_events(connection: Connection, site_id: str, subject_id: str) -> list[Event]:
    """The whole history of a subject, in its order."""
    rows = connection.execute(
        select(events).filter_by(site_id=site_id, subject_id=subject_id).order_by(events.c.sequence)
    )
    return [event_of(row) for row in rows]


def read_words(connection: Connection, site_id: str, act_ids: Collection[str]) -> dict[str, Event]:
    """What the person said of a purpose, by the act that recorded it."""
    if not act_ids:
        return {}
    # Written out: the condition of the index serves no plan that has it as a parameter.
    of_a_purpose = text("purpose <> ''")
    # What the person said, before what the vault told of it to a book that had forgotten.
    rows = connection.execute(
        select(events)
        .where(events.c.site_id == site_id, events.c.act_id.in_(act_ids), of_a_purpose)
        .order_by(events.c.sequence.desc())
    )
    return {row.act_id: event_of(row) for row in rows}


def read_numbered(
    connection: Connection, site_id: str, subject_id: str, sequence: int
) -> Event | None:
    """The event of a subject with a number, or None."""
    row = connection.execute(
        select(events).filter_by(site_id=site_id, subject_id=subject_id, sequence=sequence)
    ).one_or_none()
    return None if row is None else event_of(row)


def event_of(row: Row[Any]) -> Event:
    """The event of a row. Raises ValueError where it is of a kind that nobody knows."""
    use = None
    if row.use_kind is not None:
        use = Use(
            UseKind(row.use_kind),
            row.page_digest,
            row.notice_shown,
            row.client_time,
            row.technical_digest or "",
        )
    return Event(
        row.event_id,
        Kind(row.kind),
        row.time,
        row.principal,
        row.act_id,
        row.policy_version,
        row.policy_sha256,
        row.language,
        use,
        row.purpose,
        row.wording_sha256,
        row.expire_time,
        _declaration(row),
        row.account_id or "",
        row.link_fault or "",
        row.link_reference or "",
        row.carried_time,
        row.carried_end_time,
    )


def _declaration_columns(declaration: Declaration) -> dict[str, Any]:
    if declaration == HERE_AND_NOW:
        return {}
    authority, paper = declaration.authority, declaration.paper
    return {
        "declarant": str(declaration.declarant),
        "declare_time": declaration.declare_time,
        "authority_kind": str(authority.kind) if authority else None,
        "authority_reference": authority.reference if authority else None,
        "authority_sha256": authority.sha256 if authority else None,
        "authority_issue_date": authority.issue_date if authority else None,
        "authority_end_date": authority.end_date if authority else None,
        "paper_reference": paper.reference if paper else None,
        "paper_sha256": paper.sha256 if paper else None,
    }


def _declaration(row: Row[Any]) -> Declaration:
    if row.declarant is None:
        return HERE_AND_NOW
    authority = None
    if row.authority_kind is not None:
        authority = Authority(
            AuthorityKind(row.authority_kind),
            row.authority_reference,
            row.authority_sha256,
            row.authority_issue_date,
            row.authority_end_date,
        )
    paper = None
    if row.paper_reference is not None:
        paper = Paper(row.paper_reference, row.paper_sha256)
    return Declaration(Declarant(row.declarant), authority, row.declare_time, paper)
