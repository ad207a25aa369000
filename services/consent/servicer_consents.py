# SPDX-License-Identifier: Apache-2.0
"""Express consents (clauses 4.1.6, 4.1.8, 4.1.10 to 4.1.12)."""

from __future__ import annotations

import hashlib
from typing import cast

from qupia.consent.v1 import consent_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.evidence import Entry
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NoPolicyInForce,
    NotFound,
    PolicyDisagreed,
)
from services.consent.book import Event, Kind
from services.consent.consent import Consent
from services.consent.servicer_recording import Recorded, Recording
from services.consent.store_journal import Page
from services.consent.store_policies import read_head_in_force, read_schedule
from services.consent.store_subjects import keep_wording, read_book
from services.consent.wire import (
    consent_message,
    enforcement,
    express_purpose,
    standing_acceptance,
    time_of,
)


class ConsentServicer:
    """Handles express consents."""

    def __init__(self, database: Database, recording: Recording, clock: Clock) -> None:
        self._database = database
        self._recording = recording
        self._clock = clock

    def grant_consent(self, call: Call) -> consent_pb2.GrantConsentResponse:
        """A proposal to the vault. Raises PolicyDisagreed, NoPolicyInForce, PurposeUnknown."""
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
            policy = read_head_in_force(page.connection, page.key.site_id, page.time)
            return Event(
                event_id,
                Kind.WITHDRAWN,
                page.time,
                call.principal.name,
                page.record_act(call.method.evidence, proposal=False).act_id,
                policy.version if policy else 0,
                policy.sha256 if policy else "",
                purpose=purpose,
            )

        recorded = self._recording.record(call, request.subject_id, draft)
        return consent_pb2.WithdrawConsentResponse(
            consent=self._consent(call, recorded, purpose),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def list_consents(self, call: Call) -> consent_pb2.ListConsentsResponse:
        """The present state of every purpose that was ever asked for, and of the agreement."""
        request = cast(consent_pb2.ListConsentsRequest, call.request)
        site_id, now = call.principal.site_id, self._clock.now()
        with self._database.transaction() as connection:
            book = read_book(connection, site_id, request.subject_id)
            if book is None:
                raise NotFound
            schedule = read_schedule(connection, site_id)
            entry = Entry(
                event=call.method.evidence,
                verb=call.method.verb,
                outcome=evidence.PERMITTED,
                site_id=site_id,
                principal=call.principal.name,
                role=call.role,
                subject=pseudonym_of(connection, site_id, request.subject_id),
                clause=call.method.clauses[0],
            )
            evidence.append(connection, entry, now)
        found = {p: c.state(p, schedule, now) for p, c in sorted(book.consents.items())}
        return consent_pb2.ListConsentsResponse(
            acceptance=standing_acceptance(book.agreement),
            consents=[consent_message(p, state) for p, state in found.items() if state],
        )

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
    agreement = page.book.agreement
    # A person on the way back is let through: the vault decides the acceptance first.
    if agreement.disagreed and not agreement.returning:
        raise PolicyDisagreed
    policy = read_head_in_force(page.connection, page.key.site_id, page.time)
    if policy is None:
        raise NoPolicyInForce
    expire_time = time_of(request.expire_time) if request.HasField("expire_time") else None
    if expire_time is not None and expire_time <= page.time:
        fault = FieldViolation("expireTime", "future", "has to lie in the future")
        raise InvalidArgument(fields=[fault])
    sha256 = hashlib.sha256(request.wording.encode()).hexdigest()
    keep_wording(page.connection, page.key.site_id, sha256, request.wording)
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
        wording_sha256=sha256,
        expire_time=expire_time,
    )
