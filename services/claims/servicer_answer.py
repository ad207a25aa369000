# SPDX-License-Identifier: Apache-2.0
"""AnswerClaim: nothing closes a claim but text, author and proof of dispatch (clause 8.2)."""

from datetime import datetime, timedelta
from typing import cast

from qupia.claims.v1 import claims_pb2
from services.chassis.call import Call
from services.chassis.deadline import local_date
from services.chassis.ids import new_uuid
from services.chassis.refusal import FieldViolation, InvalidArgument, NotFound, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_steps, wire
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.servicer_common import Office, refuse, require_officer
from services.claims.state import (
    Answer,
    AnswerIncomplete,
    Claimant,
    Decision,
    Dispatch,
    IllegalTransition,
)

_CLOCKS_DIFFER = timedelta(minutes=1)


class Answering:
    """Answers claims."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def answer_claim(self, call: Call) -> claims_pb2.AnswerClaimResponse:
        """Answer a claim in writing; its legal hold stays.

        Raises PermissionDenied, NotFound, InvalidArgument, StateConflict, Unavailable.
        """
        require_officer(call)
        office = self._office
        request = cast(claims_pb2.AnswerClaimRequest, call.request)
        answer = _answer(request, call.principal.name)
        attempt = new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            if office.keys.begin(connection, call, attempt, now) == attempt:
                claim = store.read_claim(
                    connection, call.principal.site_id, request.claim_id, lock=True
                )
                if claim is None:
                    raise NotFound
                if claim.claimant is Claimant.SITE:
                    # The site claims, so the user answers; nobody here answers for him.
                    raise StateConflict
                refuse(_time_faults(answer, claim, now))
                key = sealed_store.current_key(connection)
                step = office.step(call, key, claim, _texts(answer))
                decision = Decision(claims_pb2.Claim.Decision.Name(request.decision))
                try:
                    store_steps.answer(connection, claim, answer, decision, step, now)
                except IllegalTransition:
                    raise StateConflict from None
        office.bring_into_force(call, office.read(call, request.claim_id))
        claim = office.read(call, request.claim_id)
        return claims_pb2.AnswerClaimResponse(claim=wire.claim_message(claim))


def _answer(request: claims_pb2.AnswerClaimRequest, author: str) -> Answer:
    dispatch = request.dispatch
    channel = claims_pb2.Dispatch.Channel.Name(dispatch.channel) if dispatch.channel else ""
    time = wire.instant(dispatch.time) if dispatch.HasField("time") else None
    try:
        return Answer(request.text, author, Dispatch(channel, time, dispatch.proof))
    except AnswerIncomplete as incomplete:
        raise InvalidArgument(
            fields=[
                FieldViolation(part, "blank", "has to say something") for part in incomplete.parts
            ]
        ) from None


def _texts(answer: Answer) -> list[Text]:
    return [
        Text(DocumentKind.ANSWER, answer.text),
        Text(DocumentKind.DISPATCH_PROOF, answer.dispatch.proof),
    ]


def _time_faults(answer: Answer, claim: Claim, now: datetime) -> list[FieldViolation]:
    # Proofs name a day or a minute, and clocks differ: the day of receipt is
    # early enough, a minute ahead not late.
    time = answer.dispatch.time
    early = time is not None and local_date(time) < local_date(claim.receipt_time)
    late = time is not None and time > now + _CLOCKS_DIFFER
    if not (early or late):
        return []
    return [FieldViolation("dispatch.time", "range", "from the day of the claim's receipt to now")]
