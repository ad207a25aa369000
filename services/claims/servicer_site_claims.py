# SPDX-License-Identifier: Apache-2.0
"""RecordReceipt, RecordUserAnswer: the user's side of a claim by the site (clauses 8.1, 8.2).

The clock starts on proven receipt; only the user answers; silence is NO_ANSWER, never consent.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import cast

from qupia.claims.v1 import claims_pb2, site_claims_pb2
from services.chassis.calendar import DateOutsideCalendar
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.deadline import due
from services.chassis.ids import new_uuid
from services.chassis.refusal import FieldViolation, InvalidArgument, NotFound, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_answers, store_term, wire
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.servicer_common import Office, blank_texts, is_officer, refuse
from services.claims.servicer_dispatch import given_dispatch, time_faults
from services.claims.state import (
    ClaimAct,
    Claimant,
    Decision,
    IllegalTransition,
    term_days,
    transition,
)
from services.claims.store_steps import Step

Write = Callable[[Connection, Claim, Step, datetime], dict[str, object]]


class SiteClaims:
    """Every method raises InvalidArgument, NotFound, StateConflict, Unavailable."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def record_receipt(self, call: Call) -> site_claims_pb2.RecordReceiptResponse:
        """The user has the claim: the term runs from then."""
        request = cast(site_claims_pb2.RecordReceiptRequest, call.request)
        refuse(blank_texts({"proof": request.proof}))
        received = wire.instant(request.receipt_time)

        def write(
            connection: Connection, claim: Claim, _step: Step, now: datetime
        ) -> dict[str, object]:
            if received > now or received < claim.record_time:
                text = "from the recording of the claim to now"
                refuse([FieldViolation("receiptTime", "range", text)])
            try:
                deadline = due(received, term_days(claim.kind), self._office.calendar)
            except DateOutsideCalendar:
                outside = FieldViolation("receiptTime", "range", "lies outside the calendar")
                raise InvalidArgument(fields=[outside]) from None
            state = transition(claim.state, ClaimAct.PROVE_RECEIPT, claim.verification)
            store.write_state(connection, claim, state)
            claim = replace(claim, state=state)
            store.write_receipt(connection, claim, received, deadline, now)
            return {
                "receiptTime": received.isoformat(),
                "dueDate": deadline.due_date.isoformat(),
                "calendar": deadline.calendar_version,
            }

        texts = [Text(DocumentKind.DISPATCH_PROOF, request.proof)]
        claim = self._once(call, request.claim_id, texts, write)
        return site_claims_pb2.RecordReceiptResponse(claim=wire.claim_message(claim))

    def record_user_answer(self, call: Call) -> site_claims_pb2.RecordUserAnswerResponse:
        """The user's own answer closes the site's claim."""
        request = cast(site_claims_pb2.RecordUserAnswerRequest, call.request)
        refuse(blank_texts({"text": request.text}))
        texts = [Text(DocumentKind.ANSWER, request.text)]
        if request.dispatch.proof.strip():
            texts.append(Text(DocumentKind.DISPATCH_PROOF, request.dispatch.proof))
        decision = Decision(claims_pb2.Claim.Decision.Name(request.decision))

        def write(
            connection: Connection, claim: Claim, step: Step, now: datetime
        ) -> dict[str, object]:
            refuse(_dispatch_faults(call, request))
            came = given_dispatch(request.dispatch) if is_officer(call) else None
            if came is not None:
                refuse(time_faults(came, claim.receipt_time, now))
            at = came.time if came is not None and came.time is not None else now
            state = transition(claim.state, ClaimAct.RECORD_USER_ANSWER, claim.verification)
            store.write_decision(connection, claim, state, decision, at)
            store.write_alarm(connection, claim, None)
            store_term.drop_waiting_receipt(connection, claim, now)
            channel = came.channel if came is not None else "ACCOUNT"
            store_answers.insert_user_answer(
                connection, claim, step.by.principal, decision, channel, at, now
            )
            return {"decision": decision, "channel": channel, "by": "USER"}

        claim = self._once(call, request.claim_id, texts, write)
        return site_claims_pb2.RecordUserAnswerResponse(claim=wire.claim_message(claim))

    def _once(self, call: Call, claim_id: str, texts: list[Text], write: Write) -> Claim:
        office, attempt = self._office, new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            if office.keys.begin(connection, call, attempt, now) == attempt:
                claim = store.read_claim(connection, call.principal.site_id, claim_id, lock=True)
                if claim is None:
                    raise NotFound
                if claim.claimant is not Claimant.SITE:
                    raise StateConflict
                step = office.step(call, sealed_store.current_key(connection), claim, texts)
                try:
                    decided_on = write(connection, claim, step, now)
                except IllegalTransition:
                    raise StateConflict from None
                sealed_store.insert_documents(connection, step.documents, now)
                store_acts.append_evidence(
                    connection, claim, step.by, {}, decided_on, step.digests, now
                )
        claim = office.read(call, claim_id)
        office.bring_into_force(call, claim)
        return claim


def _dispatch_faults(
    call: Call, request: site_claims_pb2.RecordUserAnswerRequest
) -> list[FieldViolation]:
    """An officer proves that the answer is the user's; a storefront has it from the user."""
    given = request.HasField("dispatch")
    if is_officer(call) and not given:
        return [FieldViolation("dispatch", "required", "says how it came, and that it is theirs")]
    if given and not is_officer(call):
        return [FieldViolation("dispatch", "not_allowed", "is for what an officer has on paper")]
    return []
