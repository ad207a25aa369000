# SPDX-License-Identifier: Apache-2.0
"""The register of incidents: registering, assessing, notice, exemptions, closing (7.1, 7.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Protocol, cast

from qupia.claims.v1 import incidents_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.calendar import DateOutsideCalendar
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.deadline import local_date
from services.chassis.ids import new_uuid
from services.chassis.refusal import (
    AWAY,
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Refusal,
    StateConflict,
    Unavailable,
)
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import seal_document
from services.claims import store_incidents, wire
from services.claims.claim import Attribution
from services.claims.documents import DocumentKind, Text, salted_digests
from services.claims.incident import (
    Exemption,
    ExemptionCode,
    Incident,
    IncidentNotice,
    notice_deadline,
)
from services.claims.servicer_common import Office, attribution, blank_texts, refuse
from services.claims.servicer_dispatch import given_dispatch, time_faults
from services.claims.wire_incidents import Kinds, incident_message

_ASK_SECONDS = 2.0
_CHUNK = 20

Write = Callable[[Connection, Incident, Attribution, datetime], dict[str, object]]
"""Writes an act to an incident that is locked; on what it was decided. Raises Refusal."""


class Consents(Protocol):
    """What is asked of the consent service; raises Refusal."""

    def given_by(
        self,
        site_id: str,
        subject_id: str,
        purpose: subject_pb2.Purpose.Code.ValueType,
        at: datetime,
        timeout: float,
    ) -> str | None:
        """The act that gave the consent that was in force then; None where none was."""
        ...


class AuthorityRequests(Protocol):
    """What is asked of the disclosure broker; raises Refusal."""

    def gives_data(self, site_id: str, request_id: str, timeout: float) -> bool:
        """Whether data leave, or left, by this request of a state body (5.3)."""
        ...


class Incidents:
    """Keeps the register; every method raises PermissionDenied, InvalidArgument, NotFound,
    StateConflict, Unavailable."""

    def __init__(
        self, office: Office, consents: Consents, authority_requests: AuthorityRequests
    ) -> None:
        self._office = office
        self._consents = consents
        self._authority_requests = authority_requests

    def register_incident(self, call: Call) -> incidents_pb2.RegisterIncidentResponse:
        """Register an incident; the term of its notice runs from its detection."""
        require_privacy_officer(call)
        office = self._office
        given = cast(incidents_pb2.RegisterIncidentRequest, call.request).incident
        refuse(blank_texts({"incident.description": given.description}))
        if not office.is_repeat(call):
            self._require_known(call, given.subject_ids)
        incident_id = new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            stood = office.keys.begin(connection, call, incident_id, now)
            if stood == incident_id:
                incident = self._new(call, given, incident_id, now)
                subject_ids = sorted(set(given.subject_ids))
                store_incidents.insert_incident(connection, incident, subject_ids)
                decided_on = {
                    "kind": incident.kind,
                    "cause": incident.cause,
                    "intent": incident.intent,
                    "detectTime": incident.detect_time.isoformat(),
                    "noticeDueDate": incident.deadline.due_date.isoformat(),
                    "calendar": incident.deadline.calendar_version,
                }
                text = Text(DocumentKind.INCIDENT, given.description)
                digests = self._seal(connection, incident, [text], now)
                by = attribution(call)
                store_incidents.append_evidence(
                    connection, incident, by, decided_on, digests, now, subject_ids
                )
        return incidents_pb2.RegisterIncidentResponse(incident=self._stands(call, stood))

    def assess_incident(self, call: Call) -> incidents_pb2.AssessIncidentResponse:
        """Say more of an incident; the term of its notice stays as it was."""
        require_privacy_officer(call)
        request = cast(incidents_pb2.AssessIncidentRequest, call.request)
        refuse(blank_texts({"measures": request.measures}))
        if not self._office.is_repeat(call):
            self._require_known(call, request.subject_ids)

        def write(
            connection: Connection, incident: Incident, _by: Attribution, _now: datetime
        ) -> dict[str, object]:
            intent = Kinds.Intent.Name(request.intent) if request.intent else incident.intent
            cause = Kinds.Cause.Name(request.cause) if request.cause else incident.cause
            store_incidents.assess(connection, incident, intent, cause)
            store_incidents.add_subjects(connection, incident, request.subject_ids)
            return {"intent": intent, "cause": cause, "formerIntent": incident.intent}

        text = Text(DocumentKind.INCIDENT, request.measures)
        subject_ids = sorted(set(request.subject_ids))
        message = self._once(call, request.incident_id, [text], write, subject_ids)
        return incidents_pb2.AssessIncidentResponse(incident=message)

    def add_incident_notice(self, call: Call) -> incidents_pb2.AddIncidentNoticeResponse:
        """Record notice that was given, with its proof."""
        require_privacy_officer(call)
        request = cast(incidents_pb2.AddIncidentNoticeRequest, call.request)
        dispatch = given_dispatch(request.dispatch)
        if request.authority_request_id and not self._office.is_repeat(call):
            self._require_authority_request(call, request.authority_request_id)

        def write(
            connection: Connection, incident: Incident, by: Attribution, now: datetime
        ) -> dict[str, object]:
            refuse(time_faults(dispatch, incident.detect_time, now))
            addressee = incidents_pb2.IncidentNotice.Addressee.Name(request.addressee)
            notice = IncidentNotice(
                new_uuid(),
                addressee,
                dispatch.channel,
                dispatch.time or now,
                request.authority_request_id or None,
                by.principal,
                now,
            )
            store_incidents.insert_notice(connection, incident, notice)
            decided_on: dict[str, object] = {
                "addressee": addressee,
                "dispatchTime": notice.dispatch_time.isoformat(),
                "noticeDueDate": incident.deadline.due_date.isoformat(),
                "late": incident.deadline.has_passed(notice.dispatch_time),
            }
            if request.authority_request_id:
                decided_on["authorityRequest"] = request.authority_request_id
            return decided_on

        text = Text(DocumentKind.DISPATCH_PROOF, dispatch.proof)
        message = self._once(call, request.incident_id, [text], write)
        return incidents_pb2.AddIncidentNoticeResponse(incident=message)

    def propose_exemption(self, call: Call) -> incidents_pb2.ProposeExemptionResponse:
        """Claim an exemption of clause 7.2; nothing else changes."""
        require_privacy_officer(call)
        request = cast(incidents_pb2.ProposeExemptionRequest, call.request)
        code = ExemptionCode(incidents_pb2.Exemption.Code.Name(request.code))
        refuse(_exemption_faults(request, code))
        if code is ExemptionCode.WITH_CONSENT and not self._office.is_repeat(call):
            self._require_consent(call, request.consent)

        def write(
            connection: Connection, incident: Incident, by: Attribution, now: datetime
        ) -> dict[str, object]:
            day = date.fromisoformat(request.reference_date) if request.reference_date else None
            if day is not None and day > local_date(incident.detect_time):
                # What came about afterwards excuses nothing (law.md 4.11).
                text = "not after the day on which the incident was detected"
                refuse([FieldViolation("referenceDate", "range", text)])
            act_id = request.consent.act_id or None
            exemption = Exemption(new_uuid(), code, by.principal, day, act_id, now)
            store_incidents.insert_exemption(connection, incident, exemption)
            decided_on: dict[str, object] = {"code": code, "clause": code.clause}
            if act_id:
                decided_on["consentAct"] = act_id
            return decided_on

        text = Text(DocumentKind.INCIDENT_REFERENCE, request.reference)
        message = self._once(call, request.incident_id, [text], write, clause=code.clause)
        return incidents_pb2.ProposeExemptionResponse(incident=message)

    def close_incident(self, call: Call) -> incidents_pb2.CloseIncidentResponse:
        """Close an incident of which notice was given."""
        require_privacy_officer(call)
        request = cast(incidents_pb2.CloseIncidentRequest, call.request)
        refuse(blank_texts({"reason": request.reason}))

        def write(
            connection: Connection, incident: Incident, _by: Attribution, now: datetime
        ) -> dict[str, object]:
            if not incident.may_close:
                raise StateConflict(clause="7.1")
            store_incidents.close(connection, incident, now)
            return {}

        text = Text(DocumentKind.REASON, request.reason)
        message = self._once(call, request.incident_id, [text], write)
        return incidents_pb2.CloseIncidentResponse(incident=message)

    def _new(
        self, call: Call, given: incidents_pb2.NewIncident, incident_id: str, now: datetime
    ) -> Incident:
        detected = wire.instant(given.detect_time) if given.HasField("detect_time") else now
        if detected > now:
            refuse([FieldViolation("incident.detectTime", "range", "may not lie in the future")])
        try:
            deadline = notice_deadline(detected, self._office.calendar)
        except DateOutsideCalendar:
            text = "lies outside the calendar"
            fault = FieldViolation("incident.detectTime", "range", text)
            raise InvalidArgument(fields=[fault]) from None
        return Incident(
            call.principal.site_id,
            incident_id,
            Kinds.Kind.Name(given.kind),
            Kinds.Cause.Name(given.cause),
            Kinds.Intent.Name(given.intent),
            detected,
            now,
            call.principal.name,
            deadline,
        )

    def _once(
        self,
        call: Call,
        incident_id: str,
        texts: Sequence[Text],
        write: Write,
        subject_ids: Sequence[str] = (),
        clause: str = "",
    ) -> incidents_pb2.Incident:
        """Do it once per idempotency key, with its words and its evidence."""
        office, attempt = self._office, new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            if office.keys.begin(connection, call, attempt, now) == attempt:
                incident = _read(connection, call, incident_id, lock=True)
                if incident.close_time is not None:
                    raise StateConflict
                by = attribution(call)
                by = replace(by, clause=clause) if clause else by
                decided_on = write(connection, incident, by, now)
                digests = self._seal(connection, incident, texts, now)
                store_incidents.append_evidence(
                    connection, incident, by, decided_on, digests, now, subject_ids
                )
        return self._stands(call, incident_id)

    def _seal(
        self, connection: Connection, incident: Incident, texts: Sequence[Text], now: datetime
    ) -> dict[str, str]:
        """Seal words under the incident's own key; their salted digests. Raises Unavailable."""
        key = sealed_store.current_key(connection)
        if key is None:
            raise Unavailable(retry_after=1)
        place = incident.incident_id
        sealed = [
            seal_document(
                key, incident.site_id, place, (place, text.document_id, text.kind), text.content
            )
            for text in texts
        ]
        sealed_store.insert_documents(connection, sealed, now)
        return dict(salted_digests(self._office.secret, texts))

    def _stands(self, call: Call, incident_id: str) -> incidents_pb2.Incident:
        office = self._office
        office.courier.deliver(
            [(call.principal.site_id, incident_id)], lambda: call.remaining() - 0.5
        )
        with office.database.transaction() as connection:
            incident = _read(connection, call, incident_id)
            return incident_message(incident, store_incidents.subjects_of(connection, incident))

    def _require_known(self, call: Call, subject_ids: Sequence[str]) -> None:
        """Raises NotFound for subjects that the site does not have; a vault that is away keeps
        none out. Raises Unavailable where it refuses to say."""
        for start in range(0, len(subject_ids), _CHUNK):
            some = subject_ids[start : start + _CHUNK]
            seconds = min(_ASK_SECONDS, call.remaining())
            try:
                known = self._office.vault.look_up(
                    call.principal.site_id, some, seconds, call.reference
                )
            except AWAY:
                return
            except Refusal:
                raise Unavailable(retry_after=1) from None
            if not known.issuperset(some):
                raise NotFound

    def _require_authority_request(self, call: Call, request_id: str) -> None:
        """Refuses a request of 5.3 that the site does not have, or by which no data leave."""
        seconds = min(_ASK_SECONDS, call.remaining())
        try:
            gives = self._authority_requests.gives_data(call.principal.site_id, request_id, seconds)
        except Refusal:
            raise Unavailable(retry_after=1) from None
        if not gives:
            text = "is no request of this site by which data leave"
            refuse([FieldViolation("authorityRequestId", "unknown", text)])

    def _require_consent(self, call: Call, given: incidents_pb2.DisclosureConsent) -> None:
        """Refuses a consent that was not the one in force at the instant of disclosure."""
        seconds = min(_ASK_SECONDS, call.remaining())
        at = wire.instant(given.disclosure_time)
        try:
            act_id = self._consents.given_by(
                call.principal.site_id, given.subject_id, given.purpose, at, seconds
            )
        except (InvalidArgument, NotFound):
            act_id = None
        except Refusal:
            raise Unavailable(retry_after=1) from None
        if act_id != given.act_id:
            text = "was not the consent in force at the time of disclosure"
            refuse([FieldViolation("consent.actId", "not_in_force", text)])


def require_privacy_officer(call: Call) -> None:
    """Raises PermissionDenied unless a privacy officer, a named person, makes the call."""
    if not (call.principal.is_person and "PRIVACY_OFFICER" in call.principal.roles):
        raise PermissionDenied


def _read(connection: Connection, call: Call, incident_id: str, *, lock: bool = False) -> Incident:
    incident = store_incidents.read_incident(
        connection, call.principal.site_id, incident_id, lock=lock
    )
    if incident is None:
        raise NotFound
    return incident


def _exemption_faults(
    request: incidents_pb2.ProposeExemptionRequest, code: ExemptionCode
) -> list[FieldViolation]:
    faults = blank_texts({"reference": request.reference})
    if code.needs_date and not request.reference_date:
        faults.append(FieldViolation("referenceDate", "required", "says since when"))
    by_consent = code is ExemptionCode.WITH_CONSENT
    if by_consent and not request.HasField("consent"):
        faults.append(FieldViolation("consent", "required", "says which consent"))
    if not by_consent and request.HasField("consent"):
        faults.append(FieldViolation("consent", "not_allowed", "goes with WITH_CONSENT only"))
    return faults
