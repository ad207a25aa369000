# SPDX-License-Identifier: Apache-2.0
"""One-time codes and sessions of the persons concerned, and what evidence tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, tuple_

from cli.consistency.store_snapshot import Snapshot, plain
from cli.consistency.store_vault import Sealed
from services.chassis.evidence import DONE, entries
from services.vault.access_sender import KEEP
from services.vault.tables_access import access_codes, access_sessions


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code. `fresh`: it is so new that neither it nor its session can have been removed."""

    site: str
    code_id: str
    subject: str
    state: str
    tries: int
    by_letter: bool
    has_letter: bool
    is_due: bool
    create_time: datetime
    expire_time: datetime
    fresh: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session; `fresh` as of a code."""

    site: str
    session_id: str
    code_id: str
    subject: str
    create_time: datetime
    expire_time: datetime
    end_time: datetime | None
    fresh: bool


def codes(vault: Snapshot) -> Iterator[CodeRow]:
    """Codes by (site, code)."""
    c = access_codes.c
    statement = select(access_codes, (c.create_time > func.now() - KEEP).label("fresh"))
    for row in vault.stream(statement.order_by(plain(c.site_id), plain(c.code_id))):
        yield CodeRow(
            row.site_id,
            row.code_id,
            row.subject_id,
            row.state,
            row.tries,
            row.contact_digest is not None,
            row.letter is not None,
            row.letter_time is not None,
            row.create_time,
            row.expire_time,
            row.fresh,
        )


def sessions(vault: Snapshot) -> Iterator[SessionRow]:
    """Sessions by (site, code, session): a code has opened one at most."""
    s = access_sessions.c
    yield from _sessions(vault, plain(s.site_id), plain(s.code_id), plain(s.session_id))


def sessions_of_subjects(vault: Snapshot) -> Iterator[SessionRow]:
    """Sessions by (site, subject), each one's in the order of their beginning."""
    s = access_sessions.c
    yield from _sessions(vault, plain(s.site_id), plain(s.subject_id), s.create_time)


def _sessions(vault: Snapshot, *order: object) -> Iterator[SessionRow]:
    s = access_sessions.c
    statement = select(access_sessions, (s.create_time > func.now() - KEEP).label("fresh"))
    for row in vault.stream(statement.order_by(*order)):  # type: ignore[arg-type]
        yield SessionRow(
            row.site_id,
            row.session_id,
            row.code_id,
            row.subject_id,
            row.create_time,
            row.expire_time,
            row.end_time,
            row.fresh,
        )


def live_codes(vault: Snapshot) -> Iterator[tuple[str, str, int]]:
    """(site, subject, how many) of subjects with more than one code that may be redeemed."""
    c = access_codes.c
    statement = (
        select(c.site_id, c.subject_id, func.count())
        .where(c.state == "LIVE")
        .group_by(c.site_id, c.subject_id)
        .having(func.count() > 1)
        .order_by(plain(c.site_id), plain(c.subject_id))
    )
    for row in vault.stream(statement):
        yield row[0], row[1], row[2]


def told(vault: Snapshot, event: str) -> Iterator[tuple[str, str]]:
    """(site, code) of the entries of what was done with a code, by both."""
    e = entries.c
    code = func.substring(e.body, '"access_code_id":"([0-9a-f-]{36})"')
    found = (
        select(e.site_id, code.label("code_id"))
        .where(e.event == event, e.outcome == DONE, code.is_not(None))
        .distinct()
        .subquery()
        .c
    )
    statement = select(found.site_id, found.code_id)
    statement = statement.order_by(plain(found.site_id), plain(found.code_id))
    for row in vault.stream(statement):
        yield row.site_id, row.code_id


def ends(vault: Snapshot, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """When all access of these (site, pseudonym) was ended last."""
    e = entries.c
    statement = (
        select(e.site_id, e.subject, func.max(e.record_time).label("last"))
        .where(
            tuple_(e.site_id, e.subject).in_(names), e.event == "access.ended", e.outcome == DONE
        )
        .group_by(e.site_id, e.subject)
    )
    return {(row.site_id, row.subject): row.last for row in vault.stream(statement)}


def waiting_letters(vault: Snapshot) -> Iterator[Sealed]:
    """Letters that have not left, by (site, subject, code)."""
    c = access_codes.c
    statement = select(c.site_id, c.subject_id, c.code_id, c.letter).where(c.letter.is_not(None))
    order = plain(c.site_id), plain(c.subject_id), plain(c.code_id)
    for row in vault.stream(statement.order_by(*order)):
        key = ("site_id", row.site_id), ("code_id", row.code_id)
        name = f"access-code/{row.code_id}"
        yield Sealed("access_codes", key, row.site_id, row.subject_id, name, 1, row.letter)
