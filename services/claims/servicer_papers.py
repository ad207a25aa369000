# SPDX-License-Identifier: Apache-2.0
"""GetDocuments, ReadDocument, GetAttachment, GetTimeline: what is kept of a claim (6.2.3, 8).

Every read of words or bytes is evidence, here and at the vault.
"""

from typing import cast

from google.api.httpbody_pb2 import HttpBody

from qupia.claims.v1 import work_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.refusal import NotFound, Refusal, Unavailable
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import StoredDocument
from services.claims import store_acts, store_court, store_work, wire_work
from services.claims.claim import Claim
from services.claims.documents import DocumentKind
from services.claims.servicer_common import Office, attribution, require_officer

_READ_SECONDS = 2.0
_FILES = frozenset({DocumentKind.ATTACHMENT, DocumentKind.ANSWER_LETTER})
# Between the two processes; the caller learns only that it is not to be had now.
_PASSED_ON = frozenset({"SUBJECT_DESTROYED", "KEY_UNAVAILABLE", "DATA_LOSS"})


class Papers:
    """Reads what is kept; every method raises PermissionDenied, NotFound, Unavailable."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def get_documents(self, call: Call) -> work_pb2.GetDocumentsResponse:
        """What is kept of a claim of the caller's site, without its words."""
        require_officer(call)
        request = cast(work_pb2.GetDocumentsRequest, call.request)
        claim = self._office.read(call, request.claim_id)
        with self._office.database.transaction() as connection:
            listed = sealed_store.listed(connection, claim.site_id, claim.claim_id)
            papers = store_work.papers_of(connection, claim)
        response = work_pb2.GetDocumentsResponse()
        for document_id, kind, time, stored in listed:
            paper = papers.get(document_id)
            response.documents.append(
                wire_work.document_message(document_id, kind, time, stored=stored)
                if paper is None
                else wire_work.paper_message(paper, stored=stored)
            )
        return response

    def read_document(self, call: Call) -> work_pb2.ReadDocumentResponse:
        """A text; raises besides SubjectDestroyed."""
        require_officer(call)
        request = cast(work_pb2.ReadDocumentRequest, call.request)
        claim, place = self._place(call, request.claim_id, request.document_id)
        if place.kind in _FILES:
            raise NotFound
        text = self._read(call, claim, place).decode()
        with self._office.database.transaction() as connection:
            listed = sealed_store.listed(connection, claim.site_id, claim.claim_id)
            paper = store_work.papers_of(connection, claim).get(place.document_id)
        time = next(time for document_id, _, time, _ in listed if document_id == place.document_id)
        message = (
            wire_work.document_message(place.document_id, place.kind, time, stored=True)
            if paper is None
            else wire_work.paper_message(paper, stored=True)
        )
        return work_pb2.ReadDocumentResponse(document=message, text=text)

    def get_attachment(self, call: Call) -> HttpBody:
        """A file as it was attached; raises besides SubjectDestroyed."""
        require_officer(call)
        request = cast(work_pb2.GetAttachmentRequest, call.request)
        claim, place = self._place(call, request.claim_id, request.document_id)
        if place.kind != DocumentKind.ATTACHMENT:
            raise NotFound
        content = self._read(call, claim, place)
        return HttpBody(content_type="application/octet-stream", data=content)

    def get_timeline(self, call: Call) -> work_pb2.GetTimelineResponse:
        """All that happened to a claim of the caller's site."""
        request = cast(work_pb2.GetTimelineRequest, call.request)
        claim = self._office.read(call, request.claim_id)
        with self._office.database.transaction() as connection:
            entries = store_court.entries_of(connection, claim.site_id, claim.claim_id)
        return work_pb2.GetTimelineResponse(
            entries=[wire_work.entry_message(time, body) for time, body in entries]
        )

    def _place(self, call: Call, claim_id: str, document_id: str) -> tuple[Claim, StoredDocument]:
        claim = self._office.read(call, claim_id)
        with self._office.database.transaction() as connection:
            place = sealed_store.stored_at(connection, claim.site_id, claim_id, document_id)
            if place is None and any(
                known == document_id
                for known, *_ in sealed_store.listed(connection, claim.site_id, claim_id)
            ):
                # The vault does not have it yet.
                raise Unavailable(retry_after=1)
        if place is None:
            raise NotFound
        return claim, place

    def _read(self, call: Call, claim: Claim, place: StoredDocument) -> bytes:
        """First the entry, then the words."""
        office = self._office
        with office.database.transaction() as connection:
            decided_on = {"documentId": place.document_id, "kind": place.kind}
            store_acts.append_evidence(
                connection,
                claim,
                attribution(call),
                {},
                decided_on,
                {},
                office.clock.now(),
                evidence.PERMITTED,
            )
        seconds = min(_READ_SECONDS, call.remaining())
        try:
            return office.vault.get_document(place, call.principal.name, seconds)
        except Refusal as refusal:
            if refusal.reason in _PASSED_ON:
                raise
            raise Unavailable(retry_after=1) from None
