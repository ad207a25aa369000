# SPDX-License-Identifier: Apache-2.0
"""AnswerClaim, SendAnswer, RecordDispatch: an answer is written, then leaves (clause 8.2).

Nothing closes a claim but text, author and proof of dispatch (T-8.2-d).
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import cast

from qupia.claims.v1 import answers_pb2, claims_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.mail import is_address
from services.chassis.refusal import FieldViolation, InvalidArgument, NotFound, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_answer_steps, store_answers, wire, wire_answers
from services.claims.answer import Letter, LetterStatus
from services.claims.answer_letter import compose_letter, letter_number
from services.claims.claim import Claim
from services.claims.correspondence import Correspondence, NoOperator
from services.claims.documents import DocumentKind, File, Text
from services.claims.servicer_common import Office, attribution, refuse, require_officer
from services.claims.servicer_dispatch import blank_parts, given_dispatch, time_faults
from services.claims.state import (
    Answer,
    AnswerIncomplete,
    Claimant,
    Decision,
    Dispatch,
    IllegalTransition,
)

DISPATCHED = "answer.dispatched"


class Answering:
    """Answers claims."""

    def __init__(self, office: Office, correspondence: Correspondence) -> None:
        self._office = office
        self._correspondence = correspondence

    def answer_claim(self, call: Call) -> claims_pb2.AnswerClaimResponse:
        """Answer a claim in writing; its legal hold stays.

        Raises PermissionDenied, NotFound, InvalidArgument, StateConflict, Unavailable.
        """
        require_officer(call)
        request = cast(claims_pb2.AnswerClaimRequest, call.request)
        answer = _answer(request, call.principal.name)
        dispatch = given_dispatch(request.dispatch) if request.HasField("dispatch") else None
        attempt = new_uuid()
        with self._office.database.transaction() as connection:
            now = self._office.clock.now()
            if self._office.keys.begin(connection, call, attempt, now) == attempt:
                claim = _locked(connection, call, request.claim_id)
                if claim.claimant is Claimant.SITE:
                    # The site claims, so the user answers; nobody here answers for him.
                    raise StateConflict
                if dispatch is not None:
                    refuse(time_faults(dispatch, claim.receipt_time, now))
                letter = self._write(connection, call, claim, answer, now)
                if dispatch is not None:
                    claim = _locked(connection, call, request.claim_id)
                    self._leave(connection, call, claim, letter, dispatch, now)
                else:
                    self._send_where_it_can(connection, claim, now)
        self._office.bring_into_force(call, self._office.read(call, request.claim_id))
        claim = self._office.read(call, request.claim_id)
        return claims_pb2.AnswerClaimResponse(claim=wire.claim_message(claim))

    def record_dispatch(self, call: Call) -> answers_pb2.RecordDispatchResponse:
        """Record how a written answer left. Raises as `answer_claim`."""
        require_officer(call)
        request = cast(answers_pb2.RecordDispatchRequest, call.request)
        dispatch = given_dispatch(request.dispatch)
        attempt = new_uuid()
        with self._office.database.transaction() as connection:
            now = self._office.clock.now()
            if self._office.keys.begin(connection, call, attempt, now) == attempt:
                claim = _locked(connection, call, request.claim_id)
                letter = _letter(connection, claim)
                refuse(time_faults(dispatch, letter.write_time, now))
                self._leave(connection, call, claim, letter, dispatch, now)
        self._office.bring_into_force(call, self._office.read(call, request.claim_id))
        claim = self._office.read(call, request.claim_id)
        return answers_pb2.RecordDispatchResponse(claim=wire.claim_message(claim))

    def send_answer(self, call: Call) -> answers_pb2.SendAnswerResponse:
        """Send a written answer by e-mail. Raises as `answer_claim`."""
        require_officer(call)
        request = cast(answers_pb2.SendAnswerRequest, call.request)
        if request.reply_address:
            refuse(_address_faults(request.reply_address))
        attempt = new_uuid()
        with self._office.database.transaction() as connection:
            now = self._office.clock.now()
            if self._office.keys.begin(connection, call, attempt, now) == attempt:
                claim = _locked(connection, call, request.claim_id)
                status = _status(connection, claim)
                if status.dispatch_time is not None or self._correspondence.mailer is None:
                    raise StateConflict
                address_id = self._address(connection, call, claim, request.reply_address, now)
                store_answers.begin_sending(
                    connection, claim.site_id, claim.claim_id, address_id, now
                )
            status = _status(connection, _locked(connection, call, request.claim_id))
        self._office.bring_into_force(call, self._office.read(call, request.claim_id))
        return answers_pb2.SendAnswerResponse(letter=wire_answers.letter_message(status))

    def _write(
        self, connection: Connection, call: Call, claim: Claim, answer: Answer, now: datetime
    ) -> Letter:
        signer = self._correspondence.signer
        try:
            operator = self._correspondence.operator_of(claim.site_id)
        except NoOperator:
            raise StateConflict from None
        file = File(
            DocumentKind.ANSWER_LETTER, compose_letter(claim, answer, operator, signer.key_id, now)
        )
        signature = signer.sign(file.content)
        letter = Letter(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            number=letter_number(claim.number),
            author=answer.author,
            decision=answer.decision,
            document_id=file.document_id,
            sha256=hashlib.sha256(file.content).hexdigest(),
            key_id=signature.key_id,
            signature=signature.value,
            write_time=now,
        )
        key = sealed_store.current_key(connection)
        text = Text(DocumentKind.ANSWER, answer.text)
        step = self._office.step(call, key, claim, [text, file])
        try:
            store_answer_steps.write(connection, claim, letter, step)
        except IllegalTransition:
            raise StateConflict from None
        return letter

    def _leave(
        self,
        connection: Connection,
        call: Call,
        claim: Claim,
        letter: Letter,
        dispatch: Dispatch,
        now: datetime,
    ) -> None:
        key = sealed_store.current_key(connection)
        proof = Text(DocumentKind.DISPATCH_PROOF, dispatch.proof)
        step = self._office.step(call, key, claim, [proof])
        step = replace(step, by=replace(step.by, event=DISPATCHED))
        # What left by another way is not sent as well.
        store_answers.stop_sending(connection, claim.site_id, claim.claim_id)
        try:
            store_answer_steps.dispatch(connection, claim, letter, dispatch, step, now)
        except IllegalTransition:
            raise StateConflict from None

    def _send_where_it_can(self, connection: Connection, claim: Claim, now: datetime) -> None:
        address_id = store_answers.email_address_id(connection, claim.site_id, claim.claim_id)
        if address_id is not None and self._correspondence.mailer is not None:
            store_answers.begin_sending(connection, claim.site_id, claim.claim_id, address_id, now)

    def _address(
        self, connection: Connection, call: Call, claim: Claim, given: str, now: datetime
    ) -> str:
        """The sealed address to send to: a new one, or the claim's own."""
        by = attribution(call)
        if not given:
            own = store_answers.email_address_id(connection, claim.site_id, claim.claim_id)
            if own is None:
                fault = FieldViolation(
                    "replyAddress", "required", "the claim has no e-mail address"
                )
                raise InvalidArgument(fields=[fault])
            store_acts.append_evidence(connection, claim, by, {}, {}, {}, now)
            return own
        key = sealed_store.current_key(connection)
        address = Text(DocumentKind.REPLY_ADDRESS, given.strip())
        step = self._office.step(call, key, claim, [address])
        sealed_store.insert_documents(connection, step.documents, now)
        store_acts.append_evidence(connection, claim, by, {}, {}, step.digests, now)
        return address.document_id


def _locked(connection: Connection, call: Call, claim_id: str) -> Claim:
    claim = store.read_claim(connection, call.principal.site_id, claim_id, lock=True)
    if claim is None:
        raise NotFound
    return claim


def _letter(connection: Connection, claim: Claim) -> Letter:
    letter = store_answers.read_letter(connection, claim.site_id, claim.claim_id)
    if letter is None:
        raise StateConflict
    return letter


def _status(connection: Connection, claim: Claim) -> LetterStatus:
    status = store_answers.read_status(connection, claim.site_id, claim.claim_id)
    if status is None:
        raise StateConflict
    return status


def _answer(request: claims_pb2.AnswerClaimRequest, author: str) -> Answer:
    decision = Decision(claims_pb2.Claim.Decision.Name(request.decision))
    try:
        return Answer(decision, request.text, author, request.signatory.strip())
    except AnswerIncomplete as incomplete:
        raise blank_parts(incomplete) from None


def _address_faults(address: str) -> list[FieldViolation]:
    if is_address(address):
        return []
    return [FieldViolation("replyAddress", "email", "is no e-mail address")]
