# SPDX-License-Identifier: Apache-2.0
"""SQL of the append-only history of a subject."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Row

from services.consent.book import Event, Kind
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
        )
    )


def read_event(connection: Connection, site_id: str, event_id: str) -> tuple[str, Event] | None:
    """The subject of an event and the event, or None."""
    row = connection.execute(
        select(events).filter_by(event_id=event_id, site_id=site_id)
    ).one_or_none()
    return None if row is None else (row.subject_id, _event(row))


def read_events(connection: Connection, site_id: str, subject_id: str) -> list[Event]:
    """The whole history of a subject, in its order."""
    rows = connection.execute(
        select(events).filter_by(site_id=site_id, subject_id=subject_id).order_by(events.c.sequence)
    )
    return [_event(row) for row in rows]


def _event(row: Row[*tuple[object, ...]]) -> Event:
    use = None
    if row.use_kind is not None:
        use = Use(UseKind(row.use_kind), row.page_digest, row.notice_shown, row.client_time)
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
    )
