# SPDX-License-Identifier: Apache-2.0
"""Whose session a bearer token is: what the identity stage asks of the vault."""

from __future__ import annotations

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.identity import Principal, session_digest
from services.chassis.refusal import Unauthenticated
from services.vault import store_access
from services.vault.access import subject_principal
from services.vault.access_code import same


class OpenSessions:
    """The sessions that one-time codes have opened."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def verify(self, token: str, site: str | None, seconds: float) -> Principal:
        """The person concerned behind a token, on its site.

        Raises Unauthenticated for a token that opens nothing (any more), Unavailable. The
        database's own limit is the shorter one: `seconds` is another service's to mind.
        """
        del seconds
        digest = session_digest(token)
        with self._database.transaction() as connection:
            session = store_access.session_by_digest(connection, digest)
        if session is None or not same(session.digest, digest):
            raise Unauthenticated
        if not session.lives(self._clock.now()) or site not in (None, session.site):
            raise Unauthenticated
        return subject_principal(session)
