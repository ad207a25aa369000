# SPDX-License-Identifier: Apache-2.0
"""GetAnswer, GetAnswerStatus, AttachNationalSignature, GetSigningKeys: the letter itself (8.2)."""

from typing import cast

from google.api.httpbody_pb2 import HttpBody

from qupia.claims.v1 import answers_pb2
from qupia.contract.v1 import signing_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.refusal import AlreadyExists, NotFound, Refusal, Unavailable
from services.chassis.sealed import store as sealed_store
from services.chassis.signing import Signer
from services.chassis.signing_keys import PublicKey, signing_keys_message
from services.claims import store, store_acts, store_answers, wire_answers
from services.claims.answer import LetterStatus
from services.claims.claim import Claim
from services.claims.servicer_common import Office, attribution, is_within_sight, require_officer

_READ_SECONDS = 2.0
# Between the two processes; the caller learns only that it is not to be had now.
_PASSED_ON = frozenset({"SUBJECT_DESTROYED", "KEY_UNAVAILABLE", "DATA_LOSS"})


class Letters:
    """Reads letters, and keeps the national signature beside them."""

    def __init__(self, office: Office, signer: Signer) -> None:
        self._office = office
        self._signer = signer

    def get_answer(self, call: Call) -> HttpBody:
        """The letter as a PDF. Raises PermissionDenied, NotFound, Unavailable, SubjectDestroyed."""
        if not call.principal.subject_id:
            require_officer(call)
        request = cast(answers_pb2.GetAnswerRequest, call.request)
        office = self._office
        with office.database.transaction() as connection:
            claim, status = _read(connection, call, request.claim_id)
            letter = status.letter
            place = sealed_store.stored_at(
                connection, claim.site_id, claim.claim_id, letter.document_id
            )
        if place is None:
            # The vault does not have it yet.
            raise Unavailable(retry_after=1)
        seconds = min(_READ_SECONDS, call.remaining())
        try:
            content = office.vault.get_document(place, call.principal.name, seconds)
        except Refusal as refusal:
            if refusal.reason in _PASSED_ON:
                raise
            raise Unavailable(retry_after=1) from None
        with office.database.transaction() as connection:
            now = office.clock.now()
            by, permitted = attribution(call), evidence.PERMITTED
            store_acts.append_evidence(connection, claim, by, {}, {}, {}, now, permitted)
        return HttpBody(content_type="application/pdf", data=content)

    def get_answer_status(self, call: Call) -> answers_pb2.GetAnswerStatusResponse:
        """How far a letter has come. Raises NotFound."""
        request = cast(answers_pb2.GetAnswerStatusRequest, call.request)
        with self._office.database.transaction() as connection:
            _, status = _read(connection, call, request.claim_id)
        return answers_pb2.GetAnswerStatusResponse(letter=wire_answers.letter_message(status))

    def attach_national_signature(self, call: Call) -> answers_pb2.AttachNationalSignatureResponse:
        """Keep a letter's national signature. Raises PermissionDenied, NotFound, AlreadyExists."""
        require_officer(call)
        request = cast(answers_pb2.AttachNationalSignatureRequest, call.request)
        office = self._office
        attempt = new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            if office.keys.begin(connection, call, attempt, now) == attempt:
                claim, status = _read(connection, call, request.claim_id, lock=True)
                if status.national_signature is not None:
                    raise AlreadyExists
                by = attribution(call)
                store_answers.insert_national_signature(
                    connection, claim.site_id, claim.claim_id, request.cms, by.principal, now
                )
                store_acts.append_evidence(connection, claim, by, {}, {}, {}, now)
            _, status = _read(connection, call, request.claim_id)
        return answers_pb2.AttachNationalSignatureResponse(
            letter=wire_answers.letter_message(status)
        )

    def get_signing_keys(self, _call: Call) -> signing_pb2.GetSigningKeysResponse:
        """The key that verifies what this service signs."""
        return signing_keys_message([PublicKey(self._signer.public_key)])


def _read(
    connection: Connection, call: Call, claim_id: str, *, lock: bool = False
) -> tuple[Claim, LetterStatus]:
    """A claim of the caller's site and its letter. Raises NotFound."""
    site_id = call.principal.site_id
    claim = store.read_claim(connection, site_id, claim_id, lock=lock)
    status = store_answers.read_status(connection, site_id, claim_id)
    if claim is None or status is None or not _is_addressee(call, claim):
        raise NotFound
    return claim, status


def _is_addressee(call: Call, claim: Claim) -> bool:
    """Whether the caller may read the letter: a person concerned, if it is about nobody else."""
    alone = all(call.principal.concerns(each) for each in claim.subject_ids)
    return alone and is_within_sight(call, claim)
