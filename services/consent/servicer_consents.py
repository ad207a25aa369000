# SPDX-License-Identifier: Apache-2.0
"""Express consents: given, refused, withdrawn (clauses 4.1.6, 4.1.8, 4.1.10 to 4.1.12)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

from qupia.consent.v1 import consent_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NoPolicyInForce,
    PolicyDisagreed,
    StateConflict,
)
from services.consent.book import Event, Kind
from services.consent.consent import Consent
from services.consent.declaration import (
    Declaration,
    DeclarationFault,
    form_faults,
    validity_faults,
)
from services.consent.servicer_recording import Draft, Recorded, Recording, WhenLinked
from services.consent.store_journal import Page
from services.consent.store_policies import read_head_in_force, read_schedule
from services.consent.store_subjects import keep_wording
from services.consent.wire import consent_message, enforcement, express_purpose, time_of
from services.consent.wire_declaration import Request, declaration_of

_OFFICER = "PRIVACY_OFFICER"
_LOCAL = ZoneInfo("Asia/Almaty")


class ConsentServicer:
    """Handles what persons declare about a purpose."""

    def __init__(self, database: Database, recording: Recording, clock: Clock) -> None:
        self._database = database
        self._recording = recording
        self._clock = clock

    def grant_consent(self, call: Call) -> consent_pb2.GrantConsentResponse:
        """A proposal to the vault. Raises PolicyDisagreed, NoPolicyInForce, PurposeUnknown.

        Raises InvalidArgument for a declaration that is none or whose authority is void,
        StateConflict for a paper that is older than what the person said last.
        """
        request = cast(consent_pb2.GrantConsentRequest, call.request)
        purpose = express_purpose(request.purpose)

        def draft(page: Page, event_id: str) -> Event:
            return _granted(call, request, purpose, page, event_id)

        recorded = self._recording.record(call, request.subject_id, draft)
        return consent_pb2.GrantConsentResponse(
            consent=self._consent(call, recorded, purpose),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def withdraw_consent(self, call: Call) -> consent_pb2.WithdrawConsentResponse:
        """Never refused for what stands; a recorded "no" where nothing was given."""
        request = cast(consent_pb2.WithdrawConsentRequest, call.request)
        purpose = express_purpose(request.purpose)

        def draft(page: Page, event_id: str) -> Event:
            return _restricted(call, request, purpose, page, event_id, Kind.WITHDRAWN)

        recorded = self._record_restriction(call, request.subject_id, draft)
        return consent_pb2.WithdrawConsentResponse(
            consent=self._consent(call, recorded, purpose),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def refuse_consent(self, call: Call) -> consent_pb2.RefuseConsentResponse:
        """A "no" to the question; never refused for what stands, and it ends what was given."""
        request = cast(consent_pb2.RefuseConsentRequest, call.request)
        purpose = express_purpose(request.purpose)

        def draft(page: Page, event_id: str) -> Event:
            return _restricted(call, request, purpose, page, event_id, Kind.DECLINED)

        recorded = self._record_restriction(call, request.subject_id, draft)
        return consent_pb2.RefuseConsentResponse(
            consent=self._consent(call, recorded, purpose),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def _record_restriction(self, call: Call, subject_id: str, draft: Draft) -> Recorded:
        return self._recording.record(call, subject_id, draft, WhenLinked.ACCOUNTS)

    def _consent(self, call: Call, recorded: Recorded, purpose: str) -> consent_pb2.Consent | None:
        with self._database.transaction() as connection:
            schedule = read_schedule(connection, call.principal.site_id)
        consent = recorded.book.consents.get(purpose, Consent())
        found = consent.state_of(recorded.act.act_id, purpose, schedule, self._clock.now())
        return None if found is None else consent_message(purpose, found)


def _granted(
    call: Call,
    request: consent_pb2.GrantConsentRequest,
    purpose: str,
    page: Page,
    event_id: str,
) -> Event:
    declaration = _declaration(call, request, page.time)
    declared = declaration.declare_time or page.time
    _refuse(validity_faults(declaration, declared.astimezone(_LOCAL).date()))
    agreement = page.book.agreement
    # A person on the way back is let through: the vault decides the acceptance first.
    if agreement.disagreed and not agreement.returning:
        raise PolicyDisagreed
    _refuse_overtaken(page, purpose, declared)
    policy = read_head_in_force(page.connection, page.key.site_id, declared)
    if policy is None:
        raise NoPolicyInForce
    expire_time = time_of(request.expire_time) if request.HasField("expire_time") else None
    if expire_time is not None and expire_time <= page.time:
        fault = FieldViolation("expireTime", "future", "has to lie in the future")
        raise InvalidArgument(fields=[fault])
    return Event(
        event_id,
        Kind.GRANTED,
        page.time,
        call.principal.name,
        page.record_act(call.method.evidence, proposal=True).act_id,
        policy.version,
        policy.sha256,
        request.language,
        purpose=purpose,
        wording_sha256=_kept_wording(page, request.wording),
        expire_time=expire_time,
        declaration=declaration,
    )


def _restricted(
    call: Call,
    request: consent_pb2.WithdrawConsentRequest | consent_pb2.RefuseConsentRequest,
    purpose: str,
    page: Page,
    event_id: str,
    kind: Kind,
) -> Event:
    declaration = _declaration(call, request, page.time)
    declared = declaration.declare_time or page.time
    policy = read_head_in_force(page.connection, page.key.site_id, declared)
    asked = request if isinstance(request, consent_pb2.RefuseConsentRequest) else None
    return Event(
        event_id,
        kind,
        page.time,
        call.principal.name,
        page.record_act(call.method.evidence, proposal=False).act_id,
        policy.version if policy else 0,
        policy.sha256 if policy else "",
        asked.language if asked else "",
        purpose=purpose,
        wording_sha256=_kept_wording(page, asked.wording) if asked and asked.wording else "",
        declaration=declaration,
    )


def _declaration(call: Call, request: Request, now: datetime) -> Declaration:
    declaration = declaration_of(request)
    _refuse(form_faults(declaration, by_officer=call.role == _OFFICER, now=now))
    return declaration


def _refuse(faults: Sequence[DeclarationFault]) -> None:
    if faults:
        raise InvalidArgument(fields=[FieldViolation(*fault) for fault in faults])


def _refuse_overtaken(page: Page, purpose: str, declared: datetime) -> None:
    """A paper permits nothing that the person has since spoken about."""
    disagreement = page.book.agreement.disagreement
    spoken = [
        page.book.consents.get(purpose, Consent()).last_time,
        disagreement.time if disagreement else None,
    ]
    if any(time is not None and declared <= time for time in spoken):
        words = "the person has spoken of it since"
        fault = FieldViolation("declaration.declareTime", "latest", words)
        raise StateConflict(fields=[fault])


def _kept_wording(page: Page, wording: str) -> str:
    sha256 = hashlib.sha256(wording.encode()).hexdigest()
    keep_wording(page.connection, page.key.site_id, sha256, wording)
    return sha256
