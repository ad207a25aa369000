# SPDX-License-Identifier: Apache-2.0
"""What officers say of a claim before its outcome: who claims, since when, who is the same person,
and whether a block ends early (clause 6.2.3). What one officer may not do alone, two do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar, cast

from google.protobuf.message import Message

from qupia.claims.v1 import claims_pb2, verification_pb2
from services.chassis.calendar import DateOutsideCalendar
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.deadline import local_date
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
)
from services.claims import intake, store_verification, wire
from services.claims.authority import Authority, AuthorityState, AuthorityVoid, require_good
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.servicer_common import Office, blank_texts, refuse
from services.claims.servicer_step import StepAct, Steps
from services.claims.state import Claimant
from services.claims.store_same_contact import SameContactState
from services.claims.store_steps import Step
from services.claims.store_verification import Acts, Desk

M = TypeVar("M", bound=Message)
_OF_THE_SITE = "from the recording of the claim to now"


class Settling:
    """Settles what an outcome needs; every method raises PermissionDenied, InvalidArgument,
    NotFound, StateConflict, AwaitingSecondApproval, Unavailable."""

    def __init__(self, office: Office, far_back: int = intake.FAR_BACK_WORKING_DAYS) -> None:
        self._office = office
        self._steps = Steps(office)
        self._far_back = far_back

    def settle_same_contact(self, call: Call) -> verification_pb2.SettleSameContactResponse:
        """Say whether a subject with the same contact is the same person."""
        request = cast(verification_pb2.SettleSameContactRequest, call.request)
        states = claims_pb2.SameContact
        refuse(
            _decision_faults(request.decision, (states.CONFIRMED, states.RELEASED))
            + blank_texts({"reason": request.reason})
        )
        decision = SameContactState(states.State.Name(request.decision))

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
            return store_verification.settle_same_contact(
                connection, claim, request.subject_id, decision, step, desk
            )

        texts = [Text(DocumentKind.REASON, request.reason)]
        return self._steps.take(
            call, texts, act, verification_pb2.SettleSameContactResponse, request.subject_id
        )

    def settle_authority(self, call: Call) -> verification_pb2.SettleAuthorityResponse:
        """Confirm or reject a representative's authority."""
        request = cast(verification_pb2.SettleAuthorityRequest, call.request)
        refuse(_authority_faults(request))
        decision = AuthorityState(claims_pb2.Authority.State.Name(request.decision))
        paper = wire.authority(request.authority) if request.HasField("authority") else None

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
            if paper is not None and decision is AuthorityState.CONFIRMED:
                _require_good(paper, claim)
            if request.HasField("notice"):
                refuse(_notice_faults(request.notice, claim, desk.now))
            return store_verification.settle_authority(
                connection, claim, decision, paper, step, desk
            )

        return self._steps.take(
            call,
            _authority_texts(request),
            act,
            verification_pb2.SettleAuthorityResponse,
        )

    def correct_receipt_time(self, call: Call) -> verification_pb2.CorrectReceiptTimeResponse:
        """Enter another time of receipt."""
        request = cast(verification_pb2.CorrectReceiptTimeRequest, call.request)
        refuse(blank_texts({"reason": request.reason}))
        receipt_time = wire.instant(request.receipt_time)

        def is_far_back(receipt: datetime, record: datetime) -> bool:
            return intake.is_far_back(receipt, record, self._office.calendar, self._far_back)

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
            refuse(_receipt_faults(claim, receipt_time, desk.now))
            try:
                return store_verification.correct_receipt(
                    connection, claim, receipt_time, step, desk, is_far_back
                )
            except DateOutsideCalendar:
                raise _wrong("receiptTime", "range", "lies outside the calendar") from None

        texts = [Text(DocumentKind.REASON, request.reason)]
        return self._steps.take(call, texts, act, verification_pb2.CorrectReceiptTimeResponse)

    def confirm_receipt_time(self, call: Call) -> verification_pb2.ConfirmReceiptTimeResponse:
        """Confirm the time of receipt that waits."""
        return self._plain(
            call,
            store_verification.confirm_receipt,
            verification_pb2.ConfirmReceiptTimeResponse,
        )

    def propose_lift(self, call: Call) -> verification_pb2.ProposeLiftResponse:
        """Propose to lift a block before its outcome."""
        return self._plain(
            call, store_verification.propose_lift, verification_pb2.ProposeLiftResponse
        )

    def approve_lift(self, call: Call) -> verification_pb2.ApproveLiftResponse:
        """Lift a block before its outcome."""
        return self._plain(
            call, store_verification.approve_lift, verification_pb2.ApproveLiftResponse
        )

    def _plain(self, call: Call, act: StepAct, response: type[M]) -> M:
        reason = cast(verification_pb2.ProposeLiftRequest, call.request).reason
        refuse(blank_texts({"reason": reason}))
        return self._steps.take(call, [Text(DocumentKind.REASON, reason)], act, response)


def _receipt_faults(claim: Claim, receipt_time: datetime, now: datetime) -> list[FieldViolation]:
    """A claimant's claim is received before it is recorded here; the site's own reaches its user
    afterwards."""
    if claim.claimant is Claimant.SITE:
        wrong, text = not claim.record_time <= receipt_time <= now, _OF_THE_SITE
    else:
        wrong, text = receipt_time > claim.record_time, "lies after the claim was recorded"
    return [FieldViolation("receiptTime", "range", text)] if wrong else []


def _decision_faults(decision: int, allowed: Sequence[int]) -> list[FieldViolation]:
    if decision in allowed:
        return []
    return [FieldViolation("decision", "enum", "is not open here")]


def _authority_faults(
    request: verification_pb2.SettleAuthorityRequest,
) -> list[FieldViolation]:
    states = claims_pb2.Authority
    faults = _decision_faults(request.decision, (states.CONFIRMED, states.REJECTED))
    faults += blank_texts({"reason": request.reason})
    if request.decision == states.CONFIRMED:
        for name in ("document", "number", "issuer"):
            if not getattr(request.authority, name):
                text = "the paper says it"
                faults.append(FieldViolation(f"authority.{name}", "required", text))
    elif request.HasField("authority") and not request.authority.document:
        faults.append(FieldViolation("authority.document", "required", "says what it is"))
    rejected = request.decision == states.REJECTED
    if rejected != request.HasField("notice"):
        text = "a rejection is told in writing" if rejected else "goes with a rejection only"
        faults.append(FieldViolation("notice", "required" if rejected else "not_allowed", text))
    return faults


def _notice_faults(
    notice: verification_pb2.Notice, claim: Claim, now: datetime
) -> list[FieldViolation]:
    dispatch = notice.dispatch
    faults = blank_texts({"notice.text": notice.text, "notice.dispatch.proof": dispatch.proof})
    time = wire.instant(dispatch.time)
    if local_date(time) < local_date(claim.receipt_time) or time > now:
        text = "from the day of the claim's receipt to now"
        faults.append(FieldViolation("notice.dispatch.time", "range", text))
    return faults


def _authority_texts(request: verification_pb2.SettleAuthorityRequest) -> list[Text]:
    texts = [Text(DocumentKind.REASON, request.reason)]
    if request.HasField("authority"):
        texts.append(Text(DocumentKind.AUTHORITY, wire.canonical_json(request.authority)))
    if request.HasField("notice"):
        texts.append(Text(DocumentKind.NOTICE, request.notice.text))
        texts.append(Text(DocumentKind.DISPATCH_PROOF, request.notice.dispatch.proof))
    return texts


def _require_good(paper: Authority, claim: Claim) -> None:
    """Raises InvalidArgument for a paper that gave no authority on the day of receipt."""
    try:
        require_good(paper, local_date(claim.receipt_time))
    except AuthorityVoid as void:
        raise _wrong(f"authority.{void.member}", void.rule, void.description) from None


def _wrong(field: str, rule: str, description: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation(field, rule, description)])
