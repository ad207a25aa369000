# SPDX-License-Identifier: Apache-2.0
"""AssignClaim, AttachSubject, AddNote, AttachFile: what officers do to a claim as they work it."""

from collections.abc import Callable
from datetime import datetime
from typing import cast

from qupia.claims.v1 import claims_pb2, work_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.refusal import FieldViolation, NotFound, Refusal, StateConflict, Unavailable
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_work, wire, wire_work
from services.claims.claim import Claim
from services.claims.documents import Document, DocumentKind, File, Text
from services.claims.paper import Paper, media_type_of
from services.claims.servicer_common import Office, blank_texts, refuse, require_officer
from services.claims.servicer_step import Steps
from services.claims.store_steps import Step, TooManyClaims
from services.claims.store_verification import Acts, Desk, NotOpen
from services.claims.store_work import TooManyPapers

_LOOK_UP_SECONDS = 1.0
Act = Callable[[Connection, Claim, Step, Desk], None]


class Working:
    """Works claims; every method raises PermissionDenied, InvalidArgument, NotFound, StateConflict,
    Unavailable."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._steps = Steps(office)

    def assign_claim(self, call: Call) -> work_pb2.AssignClaimResponse:
        """Assign a claim; to the caller where nobody is named."""
        require_officer(call)
        request = cast(work_pb2.AssignClaimRequest, call.request)
        officer = request.officer or call.principal.name
        if not officer.startswith("person/"):
            refuse([FieldViolation("officer", "format", "is no person's issuer and subject")])

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> None:
            store_work.assign(connection, claim, officer, step, desk)

        self._once(call, [], act)
        claim = self._office.read(call, request.claim_id)
        message = wire.claim_message(claim)
        message.officer = claim.officer or ""
        return work_pb2.AssignClaimResponse(claim=message)

    def attach_subject(self, call: Call) -> work_pb2.AttachSubjectResponse:
        """Name a subject more. Raises besides NotFound for a subject the site does not have."""
        require_officer(call)
        request = cast(work_pb2.AttachSubjectRequest, call.request)
        refuse(blank_texts({"reason": request.reason}))
        if not self._office.is_repeat(call):
            self._require_known(call, request.subject_id)

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
            try:
                return store_work.attach_subject(connection, claim, request.subject_id, step, desk)
            except TooManyClaims:
                raise StateConflict from None

        texts = [Text(DocumentKind.REASON, request.reason)]
        return self._steps.take(call, texts, act, work_pb2.AttachSubjectResponse)

    def add_note(self, call: Call) -> work_pb2.AddNoteResponse:
        """Add a note."""
        require_officer(call)
        request = cast(work_pb2.AddNoteRequest, call.request)
        refuse(blank_texts({"text": request.text}))
        paper = self._add(call, Text(DocumentKind.NOTE, request.text), None)
        return work_pb2.AddNoteResponse(document=paper)

    def attach_file(self, call: Call) -> work_pb2.AttachFileResponse:
        """Attach a file of a permitted kind, by its first bytes."""
        require_officer(call)
        request = cast(work_pb2.AttachFileRequest, call.request)
        media_type = media_type_of(request.content)
        if media_type is None:
            refuse([FieldViolation("content", "format", "is no PDF, PNG or JPEG")])
        paper = self._add(call, File(DocumentKind.ATTACHMENT, request.content), media_type)
        return work_pb2.AttachFileResponse(document=paper)

    def _add(
        self, call: Call, document: Document, media_type: str | None
    ) -> work_pb2.ClaimDocument:
        author, size = call.principal.name, len(document.content)

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> None:
            paper = Paper(document.document_id, document.kind, media_type, size, author, desk.now)
            store_work.add_paper(connection, claim, paper, step)

        document_id = self._once(call, [document], act, document.document_id)
        claim = self._office.read(call, cast(work_pb2.AddNoteRequest, call.request).claim_id)
        self._office.bring_into_force(call, claim)
        with self._office.database.transaction() as connection:
            paper = store_work.papers_of(connection, claim)[document_id]
            place = sealed_store.stored_at(connection, claim.site_id, claim.claim_id, document_id)
        return wire_work.paper_message(paper, stored=place is not None)

    def _once(self, call: Call, documents: list[Document], act: Act, attempt: str = "") -> str:
        """Do it once per idempotency key; the attempt that did it."""
        office, attempt = self._office, attempt or new_uuid()
        claim_id = cast(claims_pb2.GetClaimRequest, call.request).claim_id
        with office.database.transaction() as connection:
            now: datetime = office.clock.now()
            stood = office.keys.begin(connection, call, attempt, now)
            if stood == attempt:
                claim = store.read_claim(connection, call.principal.site_id, claim_id, lock=True)
                if claim is None:
                    raise NotFound
                key = sealed_store.current_key(connection)
                step = office.step(call, key, claim, documents)
                try:
                    act(connection, claim, step, Desk(wire.slice_bytes, office.calendar, now))
                except (NotOpen, TooManyPapers):
                    raise StateConflict from None
        return stood

    def _require_known(self, call: Call, subject_id: str) -> None:
        seconds = min(_LOOK_UP_SECONDS, call.remaining())
        try:
            known = self._office.vault.look_up(
                call.principal.site_id, [subject_id], seconds, call.reference
            )
        except Refusal:
            raise Unavailable(retry_after=1) from None
        if subject_id not in known:
            raise NotFound
