# SPDX-License-Identifier: Apache-2.0
"""What the handlers of state bodies' requests share: parts, texts, the evidence of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qupia.disclosure.v1 import authority_requests_pb2
from qupia.vault.v1 import authority_pb2
from services.chassis.calendar import WorkingCalendar
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.paging import PageTokens
from services.chassis.refusal import NotFound, Unavailable
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.document import StoredDocument
from services.chassis.signing import Signer
from services.chassis.sites import Sites
from services.disclosure import (
    store_authorities,
    store_authority_requests,
    store_recipients,
    wire_authorities,
)
from services.disclosure.authority_release import references
from services.disclosure.authority_request import AuthorityRequest
from services.disclosure.authority_texts import Text, seal_texts
from services.disclosure.permission import (
    RULES_VERSION,
    STATE_BODY,
    Asked,
    Denial,
    Ground,
    decide,
)
from services.disclosure.servicer_acts import entry

_DELIVERY_RESERVE = 0.5


class AuthorityVault(Protocol):
    """The vault, as far as state bodies need it; every call raises Refusal."""

    def check_for_authority(
        self, request: authority_pb2.CheckForAuthorityRequest, timeout: float
    ) -> authority_pb2.CheckForAuthorityResponse:
        """What stands against it."""

    def read_for_authority(
        self, request: authority_pb2.ReadForAuthorityRequest, timeout: float
    ) -> authority_pb2.ReadForAuthorityResponse:
        """The data."""

    def get_document(self, place: StoredDocument, reader: str, timeout: float) -> str:
        """A text."""

    def find_release_entry(self, site_id: str, release_id: str, timeout: float) -> str:
        """The vault's entry for a release; empty where it gave nothing out."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts; `sites` says who operates a site, None where the process was not told."""

    database: Database
    clock: Clock
    keys: IdempotencyKeys
    tokens: PageTokens
    refusals: RefusalLog
    courier: Courier
    vault: AuthorityVault
    signer: Signer
    sites: Sites | None
    calendar: WorkingCalendar

    def find(
        self, connection: Connection, call: Call, request_id: str, *, lock: bool = False
    ) -> AuthorityRequest:
        """A request of the caller's site. Raises NotFound."""
        site_id = call.principal.site_id
        found = store_authority_requests.find(connection, site_id, request_id, lock=lock)
        if found is None:
            raise NotFound
        return found

    def keep_texts(
        self,
        connection: Connection,
        request: tuple[str, str],
        texts: Sequence[Text],
        now: datetime,
    ) -> None:
        """Seal texts of (site, request). Raises Unavailable before the vault was ever reached."""
        if not texts:
            return
        key = sealed_store.current_key(connection)
        if key is None:
            raise Unavailable(retry_after=1)
        sealed_store.insert_documents(connection, seal_texts(key, *request, texts), now)

    def deliver(self, call: Call, request_id: str) -> None:
        """Bring a request's texts to the vault, as far as the caller can wait."""
        self.courier.deliver(
            [(call.principal.site_id, request_id)], lambda: call.remaining() - _DELIVERY_RESERVE
        )

    def message(
        self, connection: Connection, request: AuthorityRequest
    ) -> authority_requests_pb2.AuthorityRequest:
        """A request as officers see it now."""
        place = (request.site_id, request.request_id)
        stored = not sealed_store.undelivered_of(connection, [place])
        return wire_authorities.request_message(request, self.clock.now(), stored=stored)


def proof(
    call: Call,
    outcome: str,
    request: AuthorityRequest,
    now: datetime,
    *,
    subject: str = "",
    reason: str = "",
    clause: str = "",
    refs: Mapping[str, str] | None = None,
    decided_on: Mapping[str, object] | None = None,
    digests: Mapping[str, str] | None = None,
) -> Entry:
    """The evidence of a step; until the secrecy ends the person is not told of it."""
    return entry(
        call,
        outcome,
        subject=subject,
        reason=reason,
        clause=clause,
        refs={**references(request), **(refs or {})},
        decided_on={"rulesVersion": RULES_VERSION, **(decided_on or {})},
        digests=digests,
        secret_until=request.secrecy(now),
    )


def body_denial(connection: Connection, site_id: str, authority_id: str) -> Denial | None:
    """What the rules say of whoever is named as the body; approval is asked for later."""
    body = store_authorities.find(connection, site_id, authority_id)
    if body is not None:
        return decide(Asked(STATE_BODY, Ground.LAW, body.state, approved=True))
    recipient = store_recipients.find(connection, site_id, authority_id)
    if recipient is not None:
        return decide(Asked(recipient.kind, Ground.LAW, recipient.state))
    return decide(Asked("", Ground.LAW, None))
