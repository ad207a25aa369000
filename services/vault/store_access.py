# SPDX-License-Identifier: Apache-2.0
"""SQL of one-time codes and sessions. Every function takes the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, union_all, update
from sqlalchemy.engine import Connection

from services.vault.access_code import CodeState, ContactSpan
from services.vault.fields import Field
from services.vault.store import Subject
from services.vault.tables import data, data_history
from services.vault.tables_access import access_codes, access_sessions


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code as it is kept. `letter` is sealed, with the time when it is due."""

    site: str
    code_id: str
    subject: str
    locator: str = field(repr=False)
    digest: bytes = field(repr=False)
    state: CodeState
    tries: int
    language: str
    create_time: datetime
    expire_time: datetime
    contact_digest: bytes | None = field(default=None, repr=False)
    letter: bytes | None = field(default=None, repr=False)
    letter_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it is kept."""

    site: str
    session_id: str
    code_id: str
    subject: str
    digest: bytes = field(repr=False)
    request_digest: bytes = field(repr=False)
    create_time: datetime
    expire_time: datetime
    end_time: datetime | None = None

    def lives(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return self.end_time is None and now < self.expire_time


def contact_spans(connection: Connection, subject: Subject, contact: Field) -> list[ContactSpan]:
    """When each version of a subject's contact stood."""
    place = {"site_id": subject[0], "subject_id": subject[1], "field": str(contact)}
    now = select(data.c.version, data.c.store_time).filter_by(**place)
    then = select(data_history.c.version, data_history.c.store_time, data_history.c.end_time)
    spans = [ContactSpan(row.version, row.store_time, None) for row in connection.execute(now)]
    spans += [
        ContactSpan(row.version, row.store_time, row.end_time)
        for row in connection.execute(then.filter_by(**place))
    ]
    return spans


def contact_ciphertext(
    connection: Connection, subject: Subject, contact: Field, version: int
) -> bytes:
    """The ciphertext of one version of a contact, present or former."""
    place = {
        "site_id": subject[0],
        "subject_id": subject[1],
        "field": str(contact),
        "version": version,
    }
    both = union_all(
        select(data.c.ciphertext).filter_by(**place),
        select(data_history.c.ciphertext).filter_by(**place),
    )
    return bytes(connection.execute(both).scalar_one())


def issue_times(
    connection: Connection, subject: Subject, contact: bytes, since: datetime
) -> list[datetime]:
    """When letters went out since then, about the subject or to the same mailbox."""
    c = access_codes.c
    rows = connection.execute(
        select(c.create_time).where(
            c.site_id == subject[0],
            c.create_time > since,
            c.contact_digest.is_not(None),
            or_(c.subject_id == subject[1], c.contact_digest == contact),
        )
    )
    return [row.create_time for row in rows]


def insert_code(connection: Connection, row: CodeRow) -> None:
    """A new code."""
    connection.execute(
        insert(access_codes).values(
            site_id=row.site,
            code_id=row.code_id,
            subject_id=row.subject,
            locator=row.locator,
            digest=row.digest,
            state=str(row.state),
            tries=row.tries,
            language=row.language,
            contact_digest=row.contact_digest,
            letter=row.letter,
            letter_time=row.letter_time,
            create_time=row.create_time,
            expire_time=row.expire_time,
        )
    )


def end_codes(connection: Connection, subject: Subject) -> list[str]:
    """End every live code of a subject; their ids. No letter of theirs leaves any more."""
    rows = connection.execute(
        update(access_codes)
        .filter_by(site_id=subject[0], subject_id=subject[1], state=str(CodeState.LIVE))
        .values(state=str(CodeState.ENDED), letter=None, letter_time=None)
        .returning(access_codes.c.code_id)
    )
    return sorted(row.code_id for row in rows)


def end_sessions(connection: Connection, subject: Subject, now: datetime) -> list[str]:
    """End every session of a subject that lives; their ids."""
    s = access_sessions.c
    rows = connection.execute(
        update(access_sessions)
        .where(
            s.site_id == subject[0],
            s.subject_id == subject[1],
            s.end_time.is_(None),
            s.expire_time > now,
        )
        .values(end_time=now)
        .returning(s.session_id)
    )
    return sorted(row.session_id for row in rows)


def lock_code(connection: Connection, locator: str) -> CodeRow | None:
    """The code that a locator finds, held to the transaction's end; None where there is none."""
    row = connection.execute(
        select(access_codes).filter_by(locator=locator).with_for_update()
    ).one_or_none()
    return _code(row) if row else None


def write_code(connection: Connection, row: CodeRow, state: CodeState, tries: int) -> None:
    """What has become of a code; a letter that has not left does not leave any more."""
    values: dict[str, object] = {"state": str(state), "tries": tries}
    if state is not CodeState.LIVE:
        values |= {"letter": None, "letter_time": None}
    connection.execute(
        update(access_codes).filter_by(site_id=row.site, code_id=row.code_id).values(values)
    )


def insert_session(connection: Connection, row: SessionRow) -> None:
    """A new session."""
    connection.execute(
        insert(access_sessions).values(
            site_id=row.site,
            session_id=row.session_id,
            code_id=row.code_id,
            subject_id=row.subject,
            digest=row.digest,
            request_digest=row.request_digest,
            create_time=row.create_time,
            expire_time=row.expire_time,
        )
    )


def session_of_code(connection: Connection, code: CodeRow) -> SessionRow | None:
    """The session that a code has opened."""
    row = connection.execute(
        select(access_sessions).filter_by(site_id=code.site, code_id=code.code_id)
    ).one_or_none()
    return _session(row) if row else None


def session_by_digest(connection: Connection, digest: bytes) -> SessionRow | None:
    """The session of a token's digest."""
    row = connection.execute(select(access_sessions).filter_by(digest=digest)).one_or_none()
    return _session(row) if row else None


def session_lives(connection: Connection, subject: Subject, code_id: str, now: datetime) -> bool:
    """Whether the session that a code has opened still opens the subject's view."""
    row = connection.execute(
        select(access_sessions).filter_by(
            site_id=subject[0], code_id=code_id, subject_id=subject[1]
        )
    ).one_or_none()
    return row is not None and _session(row).lives(now)


def take_due_letter(connection: Connection, now: datetime, again: datetime) -> CodeRow | None:
    """A code whose letter is due, which nobody else gets before `again`; None where none is."""
    c = access_codes.c
    row = connection.execute(
        select(access_codes)
        .where(c.letter_time <= now)
        .order_by(c.letter_time)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    taken = _code(row)
    connection.execute(
        update(access_codes)
        .filter_by(site_id=taken.site, code_id=taken.code_id)
        .values(letter_time=again)
    )
    return taken


def write_letter(connection: Connection, row: CodeRow, due: datetime | None) -> None:
    """When the letter is tried again; None: it has left, or never will."""
    values: dict[str, object] = {"letter_time": due}
    if due is None:
        values["letter"] = None
    connection.execute(
        update(access_codes).filter_by(site_id=row.site, code_id=row.code_id).values(values)
    )


def purge(connection: Connection, now: datetime, keep: timedelta, most: int) -> int:
    """Remove what ended longer ago than `keep`; how many rows, at most `most` of each kind."""
    removed = 0
    for table in (access_codes, access_sessions):
        key = next(c for c in table.primary_key.columns if c.name != "site_id")
        old = select(key).where(table.c.expire_time < now - keep).limit(most)
        removed += connection.execute(delete(table).where(key.in_(old))).rowcount
    return removed


def _code(row: Row[Any]) -> CodeRow:
    return CodeRow(
        site=row.site_id,
        code_id=row.code_id,
        subject=row.subject_id,
        locator=row.locator,
        digest=bytes(row.digest),
        state=CodeState(row.state),
        tries=row.tries,
        language=row.language,
        create_time=row.create_time,
        expire_time=row.expire_time,
        contact_digest=bytes(row.contact_digest) if row.contact_digest else None,
        letter=bytes(row.letter) if row.letter else None,
        letter_time=row.letter_time,
    )


def _session(row: Row[Any]) -> SessionRow:
    return SessionRow(
        site=row.site_id,
        session_id=row.session_id,
        code_id=row.code_id,
        subject=row.subject_id,
        digest=bytes(row.digest),
        request_digest=bytes(row.request_digest),
        create_time=row.create_time,
        expire_time=row.expire_time,
        end_time=row.end_time,
    )
