# SPDX-License-Identifier: Apache-2.0
"""SQL of a subject's current rows: reading them costs the same after any number of events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.consent.agreement import Agreement, Mode, Stance
from services.consent.book import Book
from services.consent.consent import Consent, Fact
from services.consent.store_links import read_links, save_links
from services.consent.tables import agreements, consents, subjects, wordings
from services.consent.use import Strength

_STANCES = ("accepted", "proposed", "disagreement")
_FACTS = ("standing", "proposed", "refused")


def subject_exists(connection: Connection, site_id: str, subject_id: str) -> bool:
    """Whether the site has the subject."""
    found = select(subjects.c.subject_id).filter_by(site_id=site_id, subject_id=subject_id)
    return connection.execute(found).first() is not None


def read_last_time(connection: Connection, site_id: str, subject_id: str) -> datetime | None:
    """When the last event of a subject was; None where the site has no such subject."""
    found = select(subjects.c.last_time).filter_by(site_id=site_id, subject_id=subject_id)
    return connection.execute(found).scalar_one_or_none()


def read_book(connection: Connection, site_id: str, subject_id: str) -> Book | None:
    """What stands about a subject; None where the site has no such subject."""
    key = {"site_id": site_id, "subject_id": subject_id}
    subject = connection.execute(select(subjects).filter_by(**key)).one_or_none()
    if subject is None:
        return None
    stances = {
        row.slot: Stance(
            Mode(row.mode),
            row.policy_version,
            row.policy_sha256,
            row.language,
            Strength(row.strength) if row.strength else None,
            row.time,
            row.act_id,
        )
        for row in connection.execute(select(agreements).filter_by(**key))
    }
    return Book(
        subject.events,
        subject.last_time,
        Agreement(**stances),
        _read_consents(connection, key),
        read_links(connection, site_id, subject_id),
    )


def _read_consents(connection: Connection, key: Mapping[str, str]) -> dict[str, Consent]:
    facts: dict[str, dict[str, Fact]] = {}
    rows = connection.execute(select(consents).filter_by(**key).order_by(consents.c.purpose))
    for row in rows:
        facts.setdefault(row.purpose, {})[row.slot] = Fact(
            row.act_id,
            row.given,
            row.policy_version,
            row.time,
            row.language,
            row.wording_sha256,
            row.expire_time,
            row.withdraw_time,
        )
    return {purpose: Consent(**slots) for purpose, slots in facts.items()}


def save_book(
    connection: Connection, site_id: str, subject_id: str, before: Book, after: Book
) -> None:
    """Write what differs; the caller holds the lock of the subject's slice."""
    key = {"site_id": site_id, "subject_id": subject_id}
    counts = {"events": after.events, "last_time": after.last_time}
    if before.events == 0:
        connection.execute(insert(subjects).values(**key, register_time=after.last_time, **counts))
    else:
        connection.execute(update(subjects).filter_by(**key).values(**counts))
    for slot in _STANCES:
        old, new = getattr(before.agreement, slot), getattr(after.agreement, slot)
        if old != new:
            _put(connection, agreements, {**key, "slot": slot}, _stance_columns(new))
    for purpose, consent in after.consents.items():
        known = before.consents.get(purpose, Consent())
        for slot in _FACTS:
            was, fact = getattr(known, slot), getattr(consent, slot)
            if was != fact:
                place = {**key, "purpose": purpose, "slot": slot}
                _put(connection, consents, place, _fact_columns(fact))
    if before.links != after.links:
        save_links(connection, site_id, subject_id, after.links)


def _put(
    connection: Connection, table: Table, place: Mapping[str, str], values: dict[str, Any] | None
) -> None:
    if values is None:
        connection.execute(delete(table).filter_by(**place))
        return
    statement = upsert(table).values(**place, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(place), set_=values))


def _stance_columns(stance: Stance | None) -> dict[str, Any] | None:
    if stance is None:
        return None
    return {
        "mode": str(stance.mode),
        "policy_version": stance.policy_version,
        "policy_sha256": stance.policy_sha256,
        "language": stance.language,
        "strength": None if stance.strength is None else str(stance.strength),
        "time": stance.time,
        "act_id": stance.act_id,
    }


def _fact_columns(fact: Fact | None) -> dict[str, Any] | None:
    if fact is None:
        return None
    return {
        "act_id": fact.act_id,
        "given": fact.given,
        "policy_version": fact.policy_version,
        "time": fact.time,
        "language": fact.language,
        "wording_sha256": fact.wording_sha256,
        "expire_time": fact.expire_time,
        "withdraw_time": fact.withdraw_time,
    }


def keep_wording(connection: Connection, site_id: str, sha256: str, wording: str) -> None:
    """Keep the exact wording of a consent, once per site."""
    connection.execute(
        upsert(wordings)
        .values(site_id=site_id, sha256=sha256, wording=wording)
        .on_conflict_do_nothing()
    )


def read_wording(connection: Connection, site_id: str, sha256: str) -> str | None:
    """The exact wording behind a digest, or None."""
    found = select(wordings.c.wording).filter_by(site_id=site_id, sha256=sha256)
    return connection.execute(found).scalar_one_or_none()
