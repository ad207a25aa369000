# SPDX-License-Identifier: Apache-2.0
"""SQL of the releases: PREPARED before the vault is asked, ended exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from services.disclosure.recipient import Kind
from services.disclosure.release import Denial, Release, ReleaseState
from services.disclosure.tables import releases

_LEFT = (ReleaseState.RELEASED, ReleaseState.RELEASED_UNCERTAIN)


def prepare(connection: Connection, release: Release) -> None:
    """Write a release before the vault is asked."""
    connection.execute(
        insert(releases).values(
            site_id=release.site_id,
            release_id=release.release_id,
            subject_id=release.subject_id,
            order_id=release.order_id,
            delivery_id=release.delivery_id,
            recipient_id=release.recipient_id,
            kind=release.kind,
            state=ReleaseState.PREPARED,
            prepare_time=release.prepare_time,
            entry_id="",
            fields=[],
            first_release_id="",
            reason="",
            clause="",
        )
    )


def first(connection: Connection, release: Release) -> str:
    """The first release of the same delivery that left or may have; empty where none did.

    To be asked with the delivery locked, so that of two at once one is first.
    """
    found = connection.execute(
        select(releases.c.release_id)
        .filter_by(site_id=release.site_id, delivery_id=release.delivery_id, first_release_id="")
        .where(releases.c.state.in_(_LEFT))
        .order_by(releases.c.end_time)
        .limit(1)
    ).scalar_one_or_none()
    return str(found or "")


def end_left(
    connection: Connection,
    release: Release,
    state: ReleaseState,
    entry_id: str,
    fields: Sequence[str],
    first_release_id: str,
    now: datetime,
) -> bool:
    """End a PREPARED release as one that left or may have; False where it has ended already."""
    return _end(
        connection,
        release,
        state=state,
        entry_id=entry_id,
        fields=list(fields),
        first_release_id=first_release_id,
        end_time=now,
    )


def end_unleft(
    connection: Connection,
    release: Release,
    state: ReleaseState,
    denial: Denial,
    now: datetime,
) -> bool:
    """End a PREPARED release by which nothing left; False where it has ended already."""
    return _end(
        connection,
        release,
        state=state,
        reason=denial.reason,
        clause=denial.clause,
        end_time=now,
    )


def left_prepared(connection: Connection, before: datetime, limit: int) -> list[Release]:
    """Releases that were prepared before a time and have not ended, the oldest first."""
    rows = connection.execute(
        select(releases)
        .where(releases.c.state == ReleaseState.PREPARED, releases.c.prepare_time < before)
        .order_by(releases.c.prepare_time)
        .limit(limit)
    )
    return [_release(row) for row in rows]


def oldest_prepared(connection: Connection) -> datetime | None:
    """When the oldest release was prepared that has not ended."""
    row = connection.execute(
        select(releases.c.prepare_time)
        .where(releases.c.state == ReleaseState.PREPARED)
        .order_by(releases.c.prepare_time)
        .limit(1)
    ).one_or_none()
    return None if row is None else row.prepare_time


def _end(connection: Connection, release: Release, **values: object) -> bool:
    statement = (
        update(releases)
        .filter_by(
            site_id=release.site_id, release_id=release.release_id, state=ReleaseState.PREPARED
        )
        .values(**values)
    )
    return connection.execute(statement).rowcount == 1


def _release(row: Row[Any]) -> Release:
    return Release(
        site_id=row.site_id,
        release_id=row.release_id,
        subject_id=row.subject_id,
        order_id=row.order_id,
        delivery_id=row.delivery_id,
        recipient_id=row.recipient_id,
        kind=Kind(row.kind),
        prepare_time=row.prepare_time,
    )
