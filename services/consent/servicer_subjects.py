# SPDX-License-Identifier: Apache-2.0
"""Registration, use, acceptance and disagreement (clauses 1.1.5, 2.1, 2.2)."""

from __future__ import annotations

from typing import cast

from qupia.consent.v1 import consent_pb2
from services.chassis.call import Call
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NoPolicyInForce,
    Unavailable,
)
from services.chassis.sealed import store as sealed_store
from services.consent.book import Event, Kind
from services.consent.policy import Policy
from services.consent.servicer_recording import Recording, WhenLinked
from services.consent.store_journal import Page
from services.consent.store_policies import read_head_in_force
from services.consent.use import standing_salt
from services.consent.wire import enforcement, latest_acceptance, timestamp
from services.consent.wire_use import is_technical, new_salt, sealed_use, use_of


class SubjectServicer:
    """Handles what storefronts report of a person's agreement with the policy."""

    def __init__(self, recording: Recording, secret: bytes) -> None:
        self._recording = recording
        self._secret = secret

    def register_subject(self, call: Call) -> consent_pb2.RegisterSubjectResponse:
        """A person is born to the site by their first use. Raises NoPolicyInForce."""
        use = cast(consent_pb2.RegisterSubjectRequest, call.request).use

        def draft(page: Page, event_id: str) -> Event:
            return self._use_event(call, page, event_id, Kind.REGISTERED, use)

        recorded = self._recording.record(call, "", draft)
        return consent_pb2.RegisterSubjectResponse(
            subject_id=recorded.subject_id,
            acceptance=latest_acceptance(recorded.book.agreement),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def record_use(self, call: Call) -> consent_pb2.RecordUseResponse:
        """A later use; the answer names the act that stands where it changed nothing."""
        request = cast(consent_pb2.RecordUseRequest, call.request)

        def draft(page: Page, event_id: str) -> Event:
            return self._use_event(call, page, event_id, Kind.USED, request.use)

        recorded = self._recording.record(call, request.subject_id, draft)
        return consent_pb2.RecordUseResponse(
            acceptance=latest_acceptance(recorded.book.agreement),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def accept_policy(self, call: Call) -> consent_pb2.AcceptPolicyResponse:
        """An express acceptance of the version in force; the only way back (T-2.2-b)."""
        request = cast(consent_pb2.AcceptPolicyRequest, call.request)

        def draft(page: Page, event_id: str) -> Event:
            policy = _in_force(page)
            if request.version and request.version != policy.version:
                fault = FieldViolation("version", "in_force", "has to be the version in force")
                raise InvalidArgument(fields=[fault])
            return Event(
                event_id,
                Kind.ACCEPTED,
                page.time,
                call.principal.name,
                page.record_act(call.method.evidence, proposal=True).act_id,
                policy.version,
                policy.sha256,
                request.language,
            )

        recorded = self._recording.record(call, request.subject_id, draft)
        return consent_pb2.AcceptPolicyResponse(
            acceptance=latest_acceptance(recorded.book.agreement),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def reject_policy(self, call: Call) -> consent_pb2.RejectPolicyResponse:
        """Disagreement; never refused for what stands (T-2.2-a)."""
        request = cast(consent_pb2.RejectPolicyRequest, call.request)

        def draft(page: Page, event_id: str) -> Event:
            policy = read_head_in_force(page.connection, page.key.site_id, page.time)
            return Event(
                event_id,
                Kind.REJECTED,
                page.time,
                call.principal.name,
                page.record_act(call.method.evidence, proposal=False).act_id,
                policy.version if policy else 0,
                policy.sha256 if policy else "",
            )

        recorded = self._recording.record(call, request.subject_id, draft, WhenLinked.ACCOUNTS)
        return consent_pb2.RejectPolicyResponse(
            disagreed_time=timestamp(recorded.event.time),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def _use_event(
        self, call: Call, page: Page, event_id: str, kind: Kind, use: consent_pb2.Use
    ) -> Event:
        policy, latest = _in_force(page), page.book.agreement.latest
        if latest is None or page.book.agreement.changes_by_use(policy.version):
            act_id = page.record_act(call.method.evidence, proposal=True).act_id
        else:
            act_id = latest.act_id
        salt = self._salt(page, event_id, use)
        known = use_of(use, salt, kept=not page.book.agreement.disagreed)
        return Event(
            event_id,
            kind,
            page.time,
            call.principal.name,
            act_id,
            policy.version,
            policy.sha256,
            use.language,
            known,
        )

    def _salt(self, page: Page, event_id: str, use: consent_pb2.Use) -> str:
        """The salt of the use's digests; seals what is technical, in the act's own transaction.

        Who has disagreed leaves nothing with the site any more (T-2.2-a).
        """
        site_id, subject_id = place = (page.key.site_id, page.key.subject_id)
        if not is_technical(use) or page.book.agreement.disagreed:
            return standing_salt(self._secret, site_id, subject_id)
        key = sealed_store.current_key(page.connection)
        if key is None:
            # Until the vault was reached once, nothing personal can be taken.
            raise Unavailable(retry_after=1)
        salt = new_salt()
        document = sealed_use(key, place, event_id, use, salt, page.time)
        sealed_store.insert_documents(page.connection, [document], page.now)
        return salt


def _in_force(page: Page) -> Policy:
    policy = read_head_in_force(page.connection, page.key.site_id, page.time)
    if policy is None:
        raise NoPolicyInForce
    return policy
