# SPDX-License-Identifier: Apache-2.0
"""The consent service's rows: policies, histories, and what stands of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from cli.consistency.matching import gathered, matched
from cli.consistency.store_snapshot import Snapshot, plain
from cli.consistency.store_standing import Place
from services.consent.agreement import Agreement, Mode, Stance
from services.consent.book import Book, Event, Kind
from services.consent.consent import Consent, Fact
from services.consent.policy import PolicyText
from services.consent.tables import (
    agreements,
    consents,
    events,
    policies,
    policy_texts,
    subjects,
    wordings,
)
from services.consent.use import Strength, Use, UseKind


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
    """What happened to a subject, by its sequence; `unreadable` names an event nobody knows."""

    place: Place
    sequences: tuple[int, ...]
    events: tuple[Event, ...]
    unreadable: int | None


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
    rows = consent.stream(select(events).order_by(*order))
    for place, members in gathered(rows, lambda r: (r.site_id, r.subject_id)):
        known: list[Event] = []
        unreadable = None
        for row in members:
            try:
                known.append(_event(row))
            except ValueError:
                unreadable = row.sequence
                break
        yield History(place, tuple(r.sequence for r in members), tuple(known), unreadable)


def standing_rows(consent: Snapshot) -> Iterator[StandingRows]:
    """What stands of every subject by place, also where only parts of it do."""
    subject_rows = consent.stream(
        select(subjects).order_by(plain(subjects.c.site_id), plain(subjects.c.subject_id))
    )
    a, c = agreements.c, consents.c
    stances = gathered(
        consent.stream(
            select(agreements).order_by(plain(a.site_id), plain(a.subject_id), plain(a.slot))
        ),
        _place,
    )
    order = plain(c.site_id), plain(c.subject_id), plain(c.purpose), plain(c.slot)
    facts = gathered(consent.stream(select(consents).order_by(*order)), _place)
    agreed = matched(subject_rows, stances, _place, lambda g: g[0])
    for pair, given in matched(agreed, facts, _place_of_pair, lambda g: g[0]):
        subject, stood = pair or (None, None)
        members = stood[1] if stood else []
        place = _place_of_pair((subject, stood)) if pair else given[0] if given else ("", "")
        book = _book(subject, members, given[1] if given else []) if subject else None
        yield StandingRows(place, subject.register_time if subject else None, book)


def wording_rows(consent: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(site, digest, wording) of every wording that was agreed to."""
    for row in consent.stream(select(wordings).order_by(wordings.c.site_id, wordings.c.sha256)):
        yield row.site_id, row.sha256, row.wording


def _place(row: Row[*tuple[Any, ...]]) -> Place:
    return row.site_id, row.subject_id


def _place_of_pair(pair: tuple[Any, Any]) -> Place:
    subject, stood = pair
    place: Place = _place(subject) if subject is not None else stood[0]
    return place


def _event(row: Row[*tuple[Any, ...]]) -> Event:
    use = None
    if row.use_kind is not None:
        use = Use(UseKind(row.use_kind), row.page_digest, row.notice_shown, row.client_time)
    return Event(
        event_id=row.event_id,
        kind=Kind(row.kind),
        time=row.time,
        principal=row.principal,
        act_id=row.act_id,
        policy_version=row.policy_version,
        policy_sha256=row.policy_sha256,
        language=row.language,
        use=use,
        purpose=row.purpose,
        wording_sha256=row.wording_sha256,
        expire_time=row.expire_time,
    )


def _book(subject: Any, stances: list[Any], facts: list[Any]) -> Book | None:
    try:
        by_purpose: dict[str, dict[str, Fact]] = {}
        for row in facts:
            by_purpose.setdefault(row.purpose, {})[row.slot] = _fact(row)
        return Book(
            subject.events,
            subject.last_time,
            Agreement(**{row.slot: _stance(row) for row in stances}),
            {purpose: Consent(**slots) for purpose, slots in by_purpose.items()},
        )
    except (ValueError, TypeError):
        return None


def _stance(row: Any) -> Stance:
    return Stance(
        Mode(row.mode),
        row.policy_version,
        row.policy_sha256,
        row.language,
        Strength(row.strength) if row.strength else None,
        row.time,
        row.act_id,
    )


def _fact(row: Any) -> Fact:
    return Fact(
        row.act_id,
        row.given,
        row.policy_version,
        row.time,
        row.language,
        row.wording_sha256,
        row.expire_time,
        row.withdraw_time,
    )
