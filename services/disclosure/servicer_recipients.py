# SPDX-License-Identifier: Apache-2.0
"""Handlers of the recipients (clauses 5.2, 6.2.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from qupia.disclosure.v1 import disclosure_pb2, recipients_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    refusal_of,
)
from services.disclosure import store_recipients, wire
from services.disclosure.recipient import (
    Fault,
    Kind,
    Recipient,
    RecipientState,
    activation_denial,
    registration_faults,
    terms_faults,
)
from services.disclosure.servicer_acts import DONE, entry

_CLAUSE = "6.2.2"
_PAGE, _MOST = 50, 100
_KINDS = frozenset(disclosure_pb2.Recipient.Kind.Value(kind) for kind in Kind)


class RecipientServicer:
    """Registers, activates, renews, suspends and lists recipients."""

    def __init__(
        self, database: Database, clock: Clock, keys: IdempotencyKeys, tokens: PageTokens
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._tokens = tokens

    def register_recipient(self, call: Call) -> disclosure_pb2.RegisterRecipientResponse:
        """Register. Raises InvalidArgument naming the field, PermissionDenied for no person."""
        request = cast(disclosure_pb2.RegisterRecipientRequest, call.request)
        _require_person(call)
        asked, now = request.recipient, self._clock.now()
        terms = wire.terms_of(asked)
        if asked.kind not in _KINDS:
            # A state body is no recipient of clause 5.2: it has a registry of its own.
            raise InvalidArgument(
                fields=[FieldViolation("recipient.kind", "enum", "is no kind of clause 5.2")]
            )
        _check("recipient", registration_faults(asked.legal_name, asked.bin, terms))
        recipient = Recipient(
            site_id=call.principal.site_id,
            recipient_id=new_uuid(),
            kind=Kind(disclosure_pb2.Recipient.Kind.Name(asked.kind)),
            legal_name=asked.legal_name,
            bin=asked.bin,
            terms=terms,
            state=RecipientState.REGISTERED,
            register_time=now,
            registered_by=call.principal.name,
        )
        with self._database.transaction() as connection:
            stands = self._keys.begin(connection, call, recipient.recipient_id, now)
            if stands == recipient.recipient_id:
                store_recipients.add(connection, recipient)
                refs = {"recipient_id": stands}
                evidence.append(connection, entry(call, DONE, refs=refs), now)
            found = store_recipients.find(connection, recipient.site_id, stands)
        return disclosure_pb2.RegisterRecipientResponse(recipient=_message(found))

    def activate_recipient(self, call: Call) -> disclosure_pb2.ActivateRecipientResponse:
        """Activate, under the new terms where some wait.

        Raises AwaitingSecondApproval for the person who registered it, or
        proposed the terms, NotFound.
        """
        request = cast(disclosure_pb2.ActivateRecipientRequest, call.request)
        _require_person(call)
        return disclosure_pb2.ActivateRecipientResponse(
            recipient=self._set_state(call, request.recipient_id, RecipientState.ACTIVE)
        )

    def renew_recipient(self, call: Call) -> recipients_pb2.RenewRecipientResponse:
        """Propose new terms. Raises InvalidArgument naming the field, NotFound."""
        request = cast(recipients_pb2.RenewRecipientRequest, call.request)
        _require_person(call)
        terms = wire.terms_of(request.terms)
        _check("terms", terms_faults(terms))
        site_id, now, change_id = call.principal.site_id, self._clock.now(), new_uuid()
        with self._database.transaction() as connection:
            found = store_recipients.find(connection, site_id, request.recipient_id, lock=True)
            if found is None:
                raise NotFound
            if self._keys.begin(connection, call, change_id, now) == change_id:
                store_recipients.renew(connection, found, terms, call.principal.name)
                refs = {"recipient_id": found.recipient_id}
                evidence.append(connection, entry(call, DONE, refs=refs), now)
            renewed = store_recipients.find(connection, site_id, found.recipient_id)
        return recipients_pb2.RenewRecipientResponse(recipient=_message(renewed))

    def suspend_recipient(self, call: Call) -> disclosure_pb2.SuspendRecipientResponse:
        """Suspend, in whatever state; the next release sees it. Raises NotFound."""
        request = cast(disclosure_pb2.SuspendRecipientRequest, call.request)
        return disclosure_pb2.SuspendRecipientResponse(
            recipient=self._set_state(call, request.recipient_id, RecipientState.SUSPENDED)
        )

    def list_recipients(self, call: Call) -> disclosure_pb2.ListRecipientsResponse:
        """List in the order of registration."""
        request = cast(disclosure_pb2.ListRecipientsRequest, call.request)
        size = page_size(request.page_size, _PAGE, _MOST)
        scope = f"recipients|{call.principal.site_id}"
        place = self._tokens.open(scope, request.page_token) or [""]
        with self._database.transaction() as connection:
            found = store_recipients.listed(
                connection, call.principal.site_id, str(place[0]), size + 1
            )
        more = len(found) > size
        token = self._tokens.make(scope, [found[size - 1].recipient_id]) if more else ""
        return disclosure_pb2.ListRecipientsResponse(
            recipients=[wire.recipient_message(r) for r in found[:size]], next_page_token=token
        )

    def _set_state(
        self, call: Call, recipient_id: str, state: RecipientState
    ) -> disclosure_pb2.Recipient:
        site_id, now, change_id = call.principal.site_id, self._clock.now(), new_uuid()
        with self._database.transaction() as connection:
            recipient = store_recipients.find(connection, site_id, recipient_id, lock=True)
            if recipient is None:
                raise NotFound
            if self._keys.begin(connection, call, change_id, now) == change_id:
                if state is RecipientState.ACTIVE:
                    reason = activation_denial(recipient, call.principal.name)
                    if reason:
                        raise refusal_of(reason, _CLAUSE)
                    store_recipients.activate(connection, recipient)
                else:
                    store_recipients.set_state(connection, site_id, recipient_id, state)
                refs = {"recipient_id": recipient_id}
                evidence.append(connection, entry(call, DONE, refs=refs), now)
            found = store_recipients.find(connection, site_id, recipient_id)
        return _message(found)


def _check(member: str, faults: Iterable[Fault]) -> None:
    """Raises InvalidArgument naming every field that is wrong."""
    wrong = [FieldViolation(f"{member}.{f.field}", f.rule, f.description) for f in faults]
    if wrong:
        raise InvalidArgument(fields=wrong)


def _require_person(call: Call) -> None:
    if not call.principal.is_person:
        raise PermissionDenied


def _message(recipient: Recipient | None) -> disclosure_pb2.Recipient:
    if recipient is None:
        raise NotFound
    return wire.recipient_message(recipient)
