# SPDX-License-Identifier: Apache-2.0
"""Issuing, redeeming and ending a person's access to their own view (clause 6.1.3, 8-2).

A code that a storefront asks for goes to the address known before any complaint, by a letter that
leaves afterwards: the answer says nothing of the subject, not even whether there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.chassis.clock import Clock
from services.chassis.database import Connection
from services.chassis.identity import Principal, person_concerned, session_digest
from services.chassis.ids import new_uuid
from services.chassis.refusal import Unauthenticated
from services.vault import access_code, store_access
from services.vault.access_code import Code, CodeState
from services.vault.access_letter import Sending, seal_sending
from services.vault.decide import Denial, Operation, Question
from services.vault.envelope import Place, decrypt
from services.vault.fields import Field
from services.vault.gate import decide_case
from services.vault.plaintext import SCHEMA
from services.vault.store import Case, Subject
from services.vault.store_access import CodeRow, SessionRow
from services.vault.store_keys import KeyStore
from services.vault.wire_case import standing_of

# Of the digest of a code that is not there, so that the same work is done.
_NO_DIGEST = bytes(32)
OWN_VIEW = Question(Operation.OWN_VIEW)


@dataclass(frozen=True, slots=True)
class Issued:
    """A code that was issued; `ended` are the ids of those it replaced."""

    code_id: str
    code: Code = field(repr=False)
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code that was exchanged for a session, and the session's token."""

    code: CodeRow
    session: SessionRow
    token: str = field(repr=False)
    again: bool


@dataclass(frozen=True, slots=True)
class NotRedeemed:
    """A try that failed. `code` is None where what was tried finds no code."""

    code: CodeRow | None


class Access:
    """Codes and sessions; every method works in the caller's transaction."""

    def __init__(self, keys: KeyStore, secret: bytes, clock: Clock) -> None:
        self._keys = keys
        self._secret = secret
        self._clock = clock

    def issue_by_letter(
        self, connection: Connection, subject: Subject, case: Case, language: str, code_id: str
    ) -> Issued | Denial:
        """A code whose letter is due now; a Denial where none may go out.

        The caller holds the subject's exclusive lock. Raises KeyUnavailable, KeyWrong,
        CiphertextMisplaced.
        """
        now = self._clock.now()
        denial = decide_case(OWN_VIEW, case, now)
        if isinstance(denial, Denial):
            return denial
        address = self._address(connection, subject, case)
        if address is None:
            return Denial("NOT_AVAILABLE", "6.1.3")
        contact = access_code.contact_digest(self._secret, subject[0], address)
        day = now - timedelta(days=1)
        issued = store_access.issue_times(connection, subject, contact, day)
        if access_code.too_many(issued, now):
            return Denial("BUDGET_EXHAUSTED", "6.1.3")
        code = Code.generate()
        key = self._keys.open(*subject, self._keys.ensure_owner_key(*subject))
        letter = seal_sending(key, *subject, code_id, Sending(address, code.shown))
        return self._issue(connection, subject, code, code_id, language, contact, letter)

    def issue_by_hand(
        self, connection: Connection, subject: Subject, case: Case, code_id: str
    ) -> Issued | Denial:
        """A code that an officer hands over to whom they have identified."""
        denial = decide_case(OWN_VIEW, case, self._clock.now())
        if isinstance(denial, Denial):
            return denial
        return self._issue(connection, subject, Code.generate(), code_id, "", None, None)

    def _issue(
        self,
        connection: Connection,
        subject: Subject,
        code: Code,
        code_id: str,
        language: str,
        contact: bytes | None,
        letter: bytes | None,
    ) -> Issued:
        now = self._clock.now()
        ended = store_access.end_codes(connection, subject)
        row = CodeRow(
            site=subject[0],
            code_id=code_id,
            subject=subject[1],
            locator=code.locator,
            digest=code.digest(self._secret),
            state=CodeState.LIVE,
            tries=0,
            language=language,
            create_time=now,
            expire_time=now + access_code.CODE_LIFE,
            contact_digest=contact,
            letter=letter,
            letter_time=now if letter else None,
        )
        store_access.insert_code(connection, row)
        return Issued(code_id, code, tuple(ended))

    def _address(self, connection: Connection, subject: Subject, case: Case) -> str | None:
        spans = store_access.contact_spans(connection, subject, Field.EMAIL)
        complained = access_code.complained_since(standing_of(case).claims)
        span = access_code.contact_known(spans, complained)
        if span is None:
            return None
        sealed = store_access.contact_ciphertext(connection, subject, Field.EMAIL, span.version)
        key = self._keys.open(*subject, self._keys.ensure_owner_key(*subject))
        place = Place(SCHEMA, *subject, str(Field.EMAIL), span.version)
        return decrypt(key, place, sealed).decode()

    def redeem(
        self, connection: Connection, code: Code | None, request_id: str
    ) -> Redeemed | NotRedeemed:
        """Exchange a code for a session; the former sessions of its subject end.

        The same request with the same code gets the same session again, as long as it lives.
        """
        now = self._clock.now()
        row = store_access.lock_code(connection, code.locator) if code else None
        proof = (code or Code("", "")).digest(self._secret)
        right = access_code.same(row.digest if row else _NO_DIGEST, proof)
        if row is None or not right:
            if row is not None and row.state is CodeState.LIVE and now < row.expire_time:
                tries = row.tries + 1
                spent = tries >= access_code.MOST_TRIES
                state = CodeState.SPENT if spent else CodeState.LIVE
                store_access.write_code(connection, row, state, tries)
            return NotRedeemed(row)
        request = access_code.request_digest(self._secret, row.code_id, request_id)
        if row.state is CodeState.USED:
            return self._again(connection, row, request, now)
        if row.state is not CodeState.LIVE or row.expire_time <= now:
            return NotRedeemed(row)
        store_access.write_code(connection, row, CodeState.USED, row.tries)
        store_access.end_sessions(connection, (row.site, row.subject), now)
        session_id = new_uuid()
        token = access_code.session_token(self._secret, session_id)
        session = SessionRow(
            site=row.site,
            session_id=session_id,
            code_id=row.code_id,
            subject=row.subject,
            digest=session_digest(token),
            request_digest=request,
            create_time=now,
            expire_time=now + access_code.SESSION_LIFE,
        )
        store_access.insert_session(connection, session)
        return Redeemed(row, session, token, again=False)

    def _again(
        self, connection: Connection, row: CodeRow, request: bytes, now: datetime
    ) -> Redeemed | NotRedeemed:
        session = store_access.session_of_code(connection, row)
        if session is None or not session.lives(now):
            return NotRedeemed(row)
        if not access_code.same(session.request_digest, request):
            return NotRedeemed(row)
        token = access_code.session_token(self._secret, session.session_id)
        return Redeemed(row, session, token, again=True)

    def end(self, connection: Connection, subject: Subject) -> Mapping[str, int]:
        """End all of a subject's codes and sessions; how many there were of each.

        The caller holds the subject's exclusive lock: whoever reads under a session has read by
        now, or reads no more.
        """
        codes = store_access.end_codes(connection, subject)
        sessions = store_access.end_sessions(connection, subject, self._clock.now())
        return {"codes": len(codes), "sessions": len(sessions)}


def subject_principal(session: SessionRow) -> Principal:
    """The person concerned, as evidence names them: by the code that let them in."""
    return person_concerned(session.code_id, session.site, [session.subject])


def require_live(connection: Connection, principal: Principal, now: datetime) -> None:
    """The session still lives, now that its subject is locked. Raises Unauthenticated."""
    subject = (principal.site_id, principal.subject_id)
    code_id = principal.name.removeprefix("subject/")
    if not store_access.session_lives(connection, subject, code_id, now):
        raise Unauthenticated
