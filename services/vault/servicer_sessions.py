# SPDX-License-Identifier: Apache-2.0
"""Tells the other services whose session it is that they were shown (clause 6.1.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qupia.vault.v1 import sessions_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.pipeline import Handler
from services.chassis.refusal import Unauthenticated, VaultNotReady
from services.vault import store, store_access
from services.vault.access import OWN_VIEW, require_live, subject_principal
from services.vault.access_code import same
from services.vault.decide import Denial
from services.vault.gate import decide_case
from services.vault.store import Subject

OwnSubjects = Callable[[Connection, Subject], Sequence[Subject]]
"""All that one person is: the subject first."""


class SessionServicer:
    """VaultSessionService of the contract."""

    def __init__(self, database: Database, clock: Clock, own: OwnSubjects) -> None:
        self._database = database
        self._clock = clock
        self._own = own

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"CheckSession": self.check_session}

    def check_session(self, call: Call) -> sessions_pb2.CheckSessionResponse:
        """Whom a session is for.

        Raises Unauthenticated, whatever is wrong with it; VaultNotReady: a copy of the vault that
        still lacks what was said since knows of no session whether it was ended.
        """
        request = call.request
        assert isinstance(request, sessions_pb2.CheckSessionRequest)
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            found = store_access.session_by_digest(connection, request.token_sha256)
            if found is None or not same(found.digest, request.token_sha256):
                raise Unauthenticated
            subject = (found.site, found.subject)
            # Whoever ends access, blocks or destroys holds it exclusively: this comes before or
            # after, never in between.
            store.lock_shared(connection, *subject)
            now = self._clock.now()
            require_live(connection, subject_principal(found), now)
            case = store.cases(connection, [subject])[subject]
            if isinstance(decide_case(OWN_VIEW, case, now), Denial):
                raise Unauthenticated
            own = self._own(connection, subject)
        return sessions_pb2.CheckSessionResponse(
            access_code_id=found.code_id,
            site_id=found.site,
            subject_ids=[subject_id for _, subject_id in own],
        )
