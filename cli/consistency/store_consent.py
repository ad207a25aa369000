# SPDX-License-Identifier: Apache-2.0
"""The consent service's rows: policies, histories, and what stands of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, select, union

from cli.consistency.matching import gathered, matched
from cli.consistency.store_snapshot import Snapshot, plain
from cli.consistency.store_standing import Place
from services.consent.book import Book, Event
from services.consent.policy import PolicyText
from services.consent.store_events import read_events
from services.consent.store_subjects import read_book
from services.consent.tables import (
    agreements,
    consents,
    events,
    policies,
    policy_texts,
    subjects,
    wordings,
)
from services.consent.tables_links import links


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A published version with its texts."""

    site: str
    version: int
    sha256: str
    publish_time: datetime
    effective_time: datetime
    prevailing_language: str
    material_purposes: frozenset[str]
    texts: tuple[PolicyText, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a subject; `events` is None where one of them is nothing there is."""

    place: Place
    sequences: tuple[int, ...]
    events: tuple[Event, ...] | None


@dataclass(frozen=True, slots=True)
class StandingRows:
    """The current rows of a subject; `book` is None where they say what no book can."""

    place: Place
    register_time: datetime | None
    book: Book | None


def published(consent: Snapshot) -> Iterator[PolicyRow]:
    """Policy versions by (site, version)."""
    p, t = policies.c, policy_texts.c
    heads = consent.stream(select(policies).order_by(plain(p.site_id), p.version))
    order = plain(t.site_id), t.version, plain(t.language)
    bodies = gathered(
        consent.stream(select(policy_texts).order_by(*order)), lambda r: (r.site_id, r.version)
    )
    for head, texts in matched(heads, bodies, lambda r: (r.site_id, r.version), lambda g: g[0]):
        if head is not None:
            yield PolicyRow(
                head.site_id,
                head.version,
                head.sha256,
                head.publish_time,
                head.effective_time,
                head.prevailing_language,
                frozenset(head.material_purposes),
                tuple(PolicyText(r.language, r.title, r.body) for r in (texts[1] if texts else ())),
            )


def histories(consent: Snapshot) -> Iterator[History]:
    """The whole history of every subject by place."""
    e = events.c
    order = plain(e.site_id), plain(e.subject_id), e.sequence
    rows = consent.stream(select(e.site_id, e.subject_id, e.sequence).order_by(*order))
    for place, members in gathered(rows, lambda r: (r.site_id, r.subject_id)):
        yield History(place, tuple(r.sequence for r in members), _events(consent, place))


def standing_rows(consent: Snapshot) -> Iterator[StandingRows]:
    """What stands of every subject by place, also where only parts of it do."""
    tables = subjects, agreements, consents, links
    every = union(*(select(t.c.site_id, t.c.subject_id) for t in tables)).subquery()
    statement = (
        select(every, subjects.c.register_time)
        .outerjoin(
            subjects,
            and_(
                subjects.c.site_id == every.c.site_id,
                subjects.c.subject_id == every.c.subject_id,
            ),
        )
        .order_by(plain(every.c.site_id), plain(every.c.subject_id))
    )
    for row in consent.stream(statement):
        place = (row.site_id, row.subject_id)
        yield StandingRows(place, row.register_time, _book(consent, place))


def wording_rows(consent: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(site, digest, wording) of every wording that was agreed to."""
    for row in consent.stream(select(wordings).order_by(wordings.c.site_id, wordings.c.sha256)):
        yield row.site_id, row.sha256, row.wording


def _events(consent: Snapshot, place: Place) -> tuple[Event, ...] | None:
    try:
        return tuple(consent.ask(lambda connection: read_events(connection, *place)))
    except (ValueError, TypeError):
        return None


def _book(consent: Snapshot, place: Place) -> Book | None:
    try:
        return consent.ask(lambda connection: read_book(connection, *place))
    except (ValueError, TypeError):
        return None
