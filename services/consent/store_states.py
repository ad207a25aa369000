# SPDX-License-Identifier: Apache-2.0
"""SQL of what stood when: written beside every event, read by the last row before two times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.engine import Connection, Row

from services.consent.agreement import Mode, Stance
from services.consent.book import Book, Event
from services.consent.history import (
    ConsentChange,
    Known,
    Moment,
    StanceChange,
    consent_changes,
    fact_of,
    stance_change,
)
from services.consent.store_events import read_words
from services.consent.tables_states import agreement_states, consent_states
from services.consent.use import Strength

LAST_ROWS = """
SELECT asked.purpose,
       stood.sequence, stood.standing_act, stood.standing_withdraw_time,
       later.proposed_act AS later_proposed, later.refused_act AS later_refused,
       then_.proposed_act AS then_proposed, then_.refused_act AS then_refused
FROM unnest(CAST(:purposes AS text[])) AS asked (purpose)
LEFT JOIN LATERAL (
    SELECT * FROM consent_states
    WHERE site_id = :site_id AND subject_id = :subject_id AND purpose = asked.purpose
      AND valid_time <= :earlier AND record_time <= :known
    ORDER BY valid_time DESC, record_time DESC LIMIT 1) AS stood ON true
LEFT JOIN LATERAL (
    SELECT * FROM consent_states
    WHERE site_id = :site_id AND subject_id = :subject_id AND purpose = asked.purpose
      AND record_time <= :known
    ORDER BY record_time DESC LIMIT 1) AS later ON true
LEFT JOIN LATERAL (
    SELECT * FROM consent_states
    WHERE site_id = :site_id AND subject_id = :subject_id AND purpose = asked.purpose
      AND record_time <= :earlier
    ORDER BY record_time DESC LIMIT 1) AS then_ ON true
"""
"""Per purpose: what stood at a time as known at another, and what was on its way at both."""

LAST_STANCE = """
SELECT * FROM agreement_states
WHERE site_id = :site_id AND subject_id = :subject_id
  AND valid_time <= :earlier AND record_time <= :known
ORDER BY valid_time DESC, record_time DESC LIMIT 1
"""
"""The agreement that stood at a time as known at another."""

ACCEPTANCES = """
SELECT DISTINCT ON (subject_id) * FROM agreement_states
WHERE site_id = :site_id AND policy_version = :version AND subject_id > :after
  AND mode <> 'DISAGREED'
ORDER BY subject_id, sequence LIMIT :limit
"""
"""Each subject's first acceptance of a version."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was known of a purpose, and the number of the event that made it stand."""

    known: Known
    sequence: int | None


def append_states(
    connection: Connection, place: tuple[str, str], before: Book, after: Book, event: Event
) -> None:
    """Write what an event changed of a subject's book. `place` is (site, subject)."""
    for change in consent_changes(before, after):
        connection.execute(insert(consent_states).values(**consent_row(place, after, change)))
    changed = stance_change(before, after, event)
    if changed is not None:
        row = agreement_row(place, after, changed)
        connection.execute(insert(agreement_states).values(**row))


def consent_row(place: tuple[str, str], after: Book, change: ConsentChange) -> dict[str, Any]:
    """The row of a change of a purpose; `after` is the book that the event left."""
    return {
        "site_id": place[0],
        "subject_id": place[1],
        "purpose": change.purpose,
        "sequence": after.events,
        "record_time": after.last_time,
        "valid_time": change.valid_time,
        "standing_act": change.standing_act,
        "standing_withdraw_time": change.standing_withdraw_time,
        "proposed_act": change.proposed_act,
        "refused_act": change.refused_act,
    }


def agreement_row(place: tuple[str, str], after: Book, change: StanceChange) -> dict[str, Any]:
    """The row of a change of the agreement; `after` is the book that the event left."""
    stance = change.stance
    return {
        "site_id": place[0],
        "subject_id": place[1],
        "sequence": after.events,
        "record_time": after.last_time,
        "valid_time": change.valid_time,
        "mode": str(stance.mode),
        "policy_version": stance.policy_version,
        "policy_sha256": stance.policy_sha256,
        "language": stance.language,
        "strength": str(stance.strength) if stance.strength else None,
        "time": stance.time,
        "act_id": stance.act_id,
    }


def consents_at(
    connection: Connection, site_id: str, subject_id: str, purposes: Sequence[str], moment: Moment
) -> dict[str, Found]:
    """What was known of each purpose; the cost does not depend on how much happened since."""
    parameters = {**_times(site_id, subject_id, moment), "purposes": list(purposes)}
    rows = connection.execute(text(LAST_ROWS), parameters).all()
    acts = {act for row in rows for act in _acts(row)}
    words = read_words(connection, site_id, acts)
    return {row.purpose: Found(_known(row, words, moment), row.sequence) for row in rows}


def stance_at(
    connection: Connection, site_id: str, subject_id: str, moment: Moment
) -> Stance | None:
    """The agreement that stood; None before any."""
    row = connection.execute(text(LAST_STANCE), _times(site_id, subject_id, moment)).one_or_none()
    return None if row is None else stance_of(row)


def stance_of(row: Row[Any]) -> Stance:
    """The stance of a row."""
    return Stance(
        Mode(row.mode),
        row.policy_version,
        row.policy_sha256,
        row.language,
        Strength(row.strength) if row.strength else None,
        row.time,
        row.act_id,
    )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The first row of a subject's acceptance of a version."""

    subject_id: str
    stance: Stance
    in_force_time: datetime


def list_acceptances(
    connection: Connection, site_id: str, version: int, after: str, limit: int
) -> list[Accepted]:
    """Who accepted a version, by subject id, after a subject id; one per subject, the first.

    Served by the index that leads with site and version, whatever else the site holds.
    """
    parameters = {"site_id": site_id, "version": version, "after": after, "limit": limit}
    rows = connection.execute(text(ACCEPTANCES), parameters)
    return [Accepted(row.subject_id, stance_of(row), row.record_time) for row in rows]


def _times(site_id: str, subject_id: str, moment: Moment) -> dict[str, Any]:
    return {
        "site_id": site_id,
        "subject_id": subject_id,
        "earlier": moment.earlier,
        "known": moment.known,
    }


def _acts(row: Row[Any]) -> set[str]:
    named = (
        row.standing_act,
        row.later_proposed,
        row.later_refused,
        row.then_proposed,
        row.then_refused,
    )
    return {act for act in named if act is not None}


def _known(row: Row[Any], words: Mapping[str, Event], moment: Moment) -> Known:
    standing = None
    if row.standing_act is not None:
        standing = fact_of(words[row.standing_act], row.standing_withdraw_time)
    # What is on its way now may have been declared by then, on a paper that came later.
    for proposed, refused in (
        (row.later_proposed, row.later_refused),
        (row.then_proposed, row.then_refused),
    ):
        act = proposed or refused
        if act is not None and words[act].declared_time <= moment.at:
            fact = fact_of(words[act], None)
            return Known(standing, fact, None) if proposed else Known(standing, None, fact)
    return Known(standing)
