# SPDX-License-Identifier: Apache-2.0
"""SQL of attempts to give a state body its package, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection, Row

from services.disclosure.authority_release import AuthorityRelease, FormerPackage
from services.disclosure.release import ReleaseState
from services.disclosure.tables_authorities import IS_PREPARED, authority_releases

_LEFT = (ReleaseState.RELEASED, ReleaseState.RELEASED_UNCERTAIN)


def prepare(connection: Connection, release: AuthorityRelease) -> None:
    """Write an attempt before the vault is asked."""
    connection.execute(
        insert(authority_releases).values(
            site_id=release.site_id,
            release_id=release.release_id,
            request_id=release.request_id,
            subject_id=release.subject_id,
            authority_id=release.authority_id,
            state=ReleaseState.PREPARED,
            prepare_time=release.prepare_time,
            entry_id="",
            fields=[],
            package_sha256="",
            first_release_id=release.first_release_id,
            reason="",
        )
    )


def is_under_way(connection: Connection, site_id: str, request_id: str) -> bool:
    """Whether an attempt for the request has not ended yet."""
    found = select(authority_releases.c.release_id).filter_by(
        site_id=site_id, request_id=request_id, state=ReleaseState.PREPARED
    )
    return connection.execute(found.limit(1)).one_or_none() is not None


def first_of(connection: Connection, site_id: str, request_id: str) -> str:
    """The first attempt by which data left or may have; empty where there is none."""
    r = authority_releases.c
    found = connection.execute(
        select(r.release_id)
        .where(r.site_id == site_id, r.request_id == request_id, r.state.in_(_LEFT))
        .order_by(r.prepare_time)
        .limit(1)
    )
    return str(found.scalar_one_or_none() or "")


def first_package(connection: Connection, site_id: str, request_id: str) -> FormerPackage | None:
    """The package that was given first; None where none was seen to leave."""
    r = authority_releases.c
    row = connection.execute(
        select(r.end_time, r.package_sha256)
        .where(r.site_id == site_id, r.request_id == request_id, r.state == ReleaseState.RELEASED)
        .order_by(r.prepare_time)
        .limit(1)
    ).one_or_none()
    return FormerPackage(row.end_time.astimezone(UTC), row.package_sha256) if row else None


def end(
    connection: Connection,
    release: AuthorityRelease,
    state: ReleaseState,
    now: datetime,
    *,
    entry_id: str = "",
    fields: Sequence[str] = (),
    package_sha256: str = "",
    reason: str = "",
) -> bool:
    """End an attempt that is under way; False where somebody else has."""
    ended = connection.execute(
        update(authority_releases)
        .filter_by(
            site_id=release.site_id, release_id=release.release_id, state=ReleaseState.PREPARED
        )
        .values(
            state=state,
            end_time=now,
            entry_id=entry_id,
            fields=list(fields),
            package_sha256=package_sha256,
            reason=reason,
        )
    )
    return bool(ended.rowcount)


def left_prepared(connection: Connection, before: datetime, limit: int) -> list[AuthorityRelease]:
    """Attempts that were begun before then and have not ended, the oldest first."""
    r = authority_releases.c
    rows = connection.execute(
        select(authority_releases)
        .where(IS_PREPARED, r.prepare_time < before)
        .order_by(r.prepare_time)
        .limit(limit)
    )
    return [_release(row) for row in rows]


def oldest_prepared(connection: Connection) -> datetime | None:
    """When the oldest attempt was begun that has not ended."""
    r = authority_releases.c
    oldest: datetime | None = connection.execute(
        select(func.min(r.prepare_time)).where(IS_PREPARED)
    ).scalar_one_or_none()
    return oldest


def _release(row: Row[Any]) -> AuthorityRelease:
    return AuthorityRelease(
        row.site_id,
        row.release_id,
        row.request_id,
        row.subject_id,
        row.authority_id,
        row.prepare_time,
        row.first_release_id,
    )
