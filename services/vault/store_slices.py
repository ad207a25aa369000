# SPDX-License-Identifier: Apache-2.0
"""SQL of what deciders push: subjects, slices, verdicts; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.store import SliceRow, Subject
from services.vault.tables import proposal_verdicts, slices, subjects


def create_subject(connection: Connection, site: str, subject: str, now: datetime) -> None:
    """A subject's row, unless it stands already."""
    connection.execute(
        upsert(subjects)
        .values(site_id=site, subject_id=subject, life="PRESENT", data_version=0, create_time=now)
        .on_conflict_do_nothing()
    )


def known_subjects(connection: Connection, site: str, wanted: Collection[str]) -> dict[str, str]:
    """Those of the ids that the site has, in order, and where each is in its life."""
    rows = connection.execute(
        select(subjects.c.subject_id, subjects.c.life)
        .where(subjects.c.site_id == site, subjects.c.subject_id.in_(wanted))
        .order_by(subjects.c.subject_id)
    )
    return {row.subject_id: row.life for row in rows}


def read_slice(connection: Connection, site: str, subject: str, topic: str) -> SliceRow | None:
    """One slice; None where it was never pushed."""
    row = connection.execute(
        select(slices).filter_by(site_id=site, subject_id=subject, topic=topic)
    ).one_or_none()
    if row is None:
        return None
    return SliceRow(row.incarnation, row.counter, bytes(row.digest), bytes(row.body))


def write_slice(
    connection: Connection, site: str, subject: str, topic: str, row: SliceRow, now: datetime
) -> None:
    """Replace a slice."""
    members = {
        "incarnation": row.incarnation,
        "counter": row.counter,
        "digest": row.digest,
        "body": row.body,
        "apply_time": now,
    }
    statement = upsert(slices).values(site_id=site, subject_id=subject, topic=topic, **members)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["site_id", "subject_id", "topic"], set_=members
        )
    )


def read_verdicts(
    connection: Connection, subject: Subject, topic: str, proposals: Collection[str]
) -> dict[str, tuple[str, str]]:
    """(verdict, reason) of those proposals that were once decided."""
    if not proposals:
        return {}
    rows = connection.execute(
        select(
            proposal_verdicts.c.proposal_id, proposal_verdicts.c.verdict, proposal_verdicts.c.reason
        )
        .filter_by(site_id=subject[0], subject_id=subject[1], topic=topic)
        .where(proposal_verdicts.c.proposal_id.in_(proposals))
    )
    return {proposal: (verdict, reason) for proposal, verdict, reason in rows}


def write_verdicts(
    connection: Connection,
    subject: Subject,
    topic: str,
    verdicts: Mapping[str, tuple[str, str]],
    now: datetime,
) -> None:
    """Keep verdicts for ever."""
    rows = [
        {
            "site_id": subject[0],
            "subject_id": subject[1],
            "topic": topic,
            "proposal_id": proposal,
            "verdict": verdict,
            "reason": reason,
            "decide_time": now,
        }
        for proposal, (verdict, reason) in verdicts.items()
    ]
    if rows:
        connection.execute(upsert(proposal_verdicts).on_conflict_do_nothing(), rows)
