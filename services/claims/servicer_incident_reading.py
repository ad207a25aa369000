# SPDX-License-Identifier: Apache-2.0
"""GetIncident, ListIncidents, GetIncidentNotice: reading the register of incidents (7.1)."""

from datetime import datetime
from typing import cast

from google.api.httpbody_pb2 import HttpBody

from qupia.claims.v1 import incidents_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import NotFound, Refusal, StateConflict, Unavailable
from services.chassis.sealed import store as sealed_store
from services.claims import store_incidents, wire
from services.claims.correspondence import Correspondence, NoOperator
from services.claims.documents import DocumentKind
from services.claims.incident import Incident
from services.claims.incident_notice import compose_notice
from services.claims.servicer_common import Office, attribution
from services.claims.servicer_incidents import require_privacy_officer
from services.claims.wire_incidents import incident_message

_PAGE, _LARGEST_PAGE = 100, 1000
_READ_SECONDS = 2.0


class IncidentReading:
    """Reads incidents of the caller's site."""

    def __init__(self, office: Office, pages: PageTokens, correspondence: Correspondence) -> None:
        self._office = office
        self._pages = pages
        self._correspondence = correspondence

    def get_incident(self, call: Call) -> incidents_pb2.GetIncidentResponse:
        """An incident; its words to officers who ask for them.

        Raises NotFound, PermissionDenied (words to anybody else), Unavailable.
        """
        request = cast(incidents_pb2.GetIncidentRequest, call.request)
        if request.with_texts:
            require_privacy_officer(call)
        incident = self._recorded(call, request.incident_id, {"withTexts": request.with_texts})
        with self._office.database.transaction() as connection:
            subject_ids = store_incidents.subjects_of(connection, incident)
        response = incidents_pb2.GetIncidentResponse(
            incident=incident_message(incident, subject_ids)
        )
        if request.with_texts:
            response.texts.extend(
                incidents_pb2.IncidentText(kind=kind, time=wire.stamp(time), text=text)
                for kind, time, text in self._texts(call, incident)
            )
        return response

    def list_incidents(self, call: Call) -> incidents_pb2.ListIncidentsResponse:
        """A page of the site's incidents. Raises InvalidArgument."""
        request = cast(incidents_pb2.ListIncidentsRequest, call.request)
        site_id = call.principal.site_id
        scope = f"incidents|{site_id}|{request.include_closed}"
        place = self._pages.open(scope, request.page_token)
        after = (datetime.fromisoformat(str(place[0])), str(place[1])) if place else None
        size = page_size(request.page_size, _PAGE, _LARGEST_PAGE)
        with self._office.database.transaction() as connection:
            found = store_incidents.list_incidents(
                connection, site_id, after, size + 1, include_closed=request.include_closed
            )
        token = ""
        if len(found) > size:
            last = found[size - 1]
            token = self._pages.make(scope, (last.deadline.due_time.isoformat(), last.incident_id))
        return incidents_pb2.ListIncidentsResponse(
            incidents=[incident_message(each) for each in found[:size]], next_page_token=token
        )

    def get_incident_notice(self, call: Call) -> HttpBody:
        """The notice as a PDF. Raises PermissionDenied, NotFound, Unavailable, StateConflict
        (nobody operates the site)."""
        require_privacy_officer(call)
        request = cast(incidents_pb2.GetIncidentNoticeRequest, call.request)
        incident = self._recorded(call, request.incident_id, {})
        try:
            operator = self._correspondence.operator_of(incident.site_id)
        except NoOperator:
            raise StateConflict from None
        words = [
            text for kind, _, text in self._texts(call, incident) if kind == DocumentKind.INCIDENT
        ]
        now = self._office.clock.now()
        # The first is what happened, the others what was done.
        content = compose_notice(incident, operator, words[1:], request.language or "kk", now)
        return HttpBody(content_type="application/pdf", data=content)

    def _recorded(self, call: Call, incident_id: str, decided_on: dict[str, object]) -> Incident:
        """An incident of the caller's site; the read is recorded. Raises NotFound, Unavailable."""
        office = self._office
        with office.database.transaction() as connection:
            incident = store_incidents.read_incident(
                connection, call.principal.site_id, incident_id
            )
            if incident is None:
                raise NotFound
            store_incidents.append_evidence(
                connection,
                incident,
                attribution(call),
                decided_on,
                {},
                office.clock.now(),
                outcome=evidence.PERMITTED,
            )
        return incident

    def _texts(self, call: Call, incident: Incident) -> list[tuple[str, datetime, str]]:
        """(kind, time, words) of an incident, the oldest first. Raises Unavailable."""
        office = self._office
        with office.database.transaction() as connection:
            documents = sealed_store.all_of(connection, incident.site_id, incident.incident_id)
        if documents is None:
            raise Unavailable(retry_after=1)
        found = []
        for place, time in documents:
            seconds = min(_READ_SECONDS, call.remaining())
            try:
                content = office.vault.get_document(place, call.principal.name, max(seconds, 0.001))
            except Refusal:
                raise Unavailable(retry_after=1) from None
            found.append((place.kind, time, content.decode()))
        return found
