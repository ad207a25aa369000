# SPDX-License-Identifier: Apache-2.0
"""Handlers of the registry of state bodies (clause 5.3)."""

from __future__ import annotations

from typing import cast

from qupia.disclosure.v1 import authorities_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    refusal_of,
)
from services.disclosure import store_authorities, wire_authorities
from services.disclosure.authority import Authority, activation_denial, authority_faults
from services.disclosure.recipient import RecipientState
from services.disclosure.servicer_acts import DONE, entry

_CLAUSE = "5.3"
_PAGE, _MOST = 50, 100


class AuthorityServicer:
    """Registers, activates, suspends and lists state bodies."""

    def __init__(
        self, database: Database, clock: Clock, keys: IdempotencyKeys, tokens: PageTokens
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._tokens = tokens

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "RegisterAuthority": self.register_authority,
            "ActivateAuthority": self.activate_authority,
            "SuspendAuthority": self.suspend_authority,
            "ListAuthorities": self.list_authorities,
        }

    def register_authority(self, call: Call) -> authorities_pb2.RegisterAuthorityResponse:
        """Register. Raises InvalidArgument naming the field, PermissionDenied for no person."""
        request = cast(authorities_pb2.RegisterAuthorityRequest, call.request)
        require_person(call)
        asked, now = request.authority, self._clock.now()
        wrong = [
            FieldViolation(f"authority.{f.field}", f.rule, f.description)
            for f in authority_faults(asked.legal_name, asked.bin)
        ]
        if wrong:
            raise InvalidArgument(fields=wrong)
        authority = Authority(
            call.principal.site_id,
            new_uuid(),
            asked.legal_name,
            asked.bin,
            RecipientState.REGISTERED,
            now,
            call.principal.name,
        )
        with self._database.transaction() as connection:
            stands = self._keys.begin(connection, call, authority.authority_id, now)
            if stands == authority.authority_id:
                store_authorities.add(connection, authority)
                evidence.append(connection, entry(call, DONE, refs={"authority_id": stands}), now)
            found = store_authorities.find(connection, authority.site_id, stands)
        return authorities_pb2.RegisterAuthorityResponse(authority=_message(found))

    def activate_authority(self, call: Call) -> authorities_pb2.ActivateAuthorityResponse:
        """Activate. Raises AwaitingSecondApproval (who registered it), StateConflict, NotFound."""
        request = cast(authorities_pb2.ActivateAuthorityRequest, call.request)
        require_person(call)
        authority = self._set_state(call, request.authority_id, RecipientState.ACTIVE)
        return authorities_pb2.ActivateAuthorityResponse(authority=authority)

    def suspend_authority(self, call: Call) -> authorities_pb2.SuspendAuthorityResponse:
        """Suspend, in whatever state; the next pick-up sees it. Raises NotFound."""
        request = cast(authorities_pb2.SuspendAuthorityRequest, call.request)
        authority = self._set_state(call, request.authority_id, RecipientState.SUSPENDED)
        return authorities_pb2.SuspendAuthorityResponse(authority=authority)

    def list_authorities(self, call: Call) -> authorities_pb2.ListAuthoritiesResponse:
        """List in the order of registration."""
        request = cast(authorities_pb2.ListAuthoritiesRequest, call.request)
        site_id, size = call.principal.site_id, page_size(request.page_size, _PAGE, _MOST)
        scope = f"authorities|{site_id}"
        place = self._tokens.open(scope, request.page_token) or [""]
        with self._database.transaction() as connection:
            found = store_authorities.listed(connection, site_id, str(place[0]), size + 1)
        more = len(found) > size
        token = self._tokens.make(scope, [found[size - 1].authority_id]) if more else ""
        return authorities_pb2.ListAuthoritiesResponse(
            authorities=[wire_authorities.authority_message(each) for each in found[:size]],
            next_page_token=token,
        )

    def _set_state(
        self, call: Call, authority_id: str, state: RecipientState
    ) -> authorities_pb2.Authority:
        site_id, now, change_id = call.principal.site_id, self._clock.now(), new_uuid()
        with self._database.transaction() as connection:
            authority = store_authorities.find(connection, site_id, authority_id, lock=True)
            if authority is None:
                raise NotFound
            if self._keys.begin(connection, call, change_id, now) == change_id:
                if state is RecipientState.ACTIVE:
                    reason = activation_denial(authority, call.principal.name)
                    if reason:
                        raise refusal_of(reason, _CLAUSE)
                store_authorities.set_state(connection, site_id, authority_id, state)
                refs = {"authority_id": authority_id}
                evidence.append(connection, entry(call, DONE, refs=refs), now)
            found = store_authorities.find(connection, site_id, authority_id)
        return _message(found)


def require_person(call: Call) -> None:
    """Raises PermissionDenied for a caller that is no person."""
    if not call.principal.is_person:
        raise PermissionDenied


def _message(authority: Authority | None) -> authorities_pb2.Authority:
    if authority is None:
        raise NotFound
    return wire_authorities.authority_message(authority)
