# SPDX-License-Identifier: Apache-2.0
"""FileClaim: a claim is received, numbered, and blocks from this moment (clauses 6.2.3, 8.1)."""

from datetime import datetime
from typing import cast

from qupia.claims.v1 import claims_pb2
from services.chassis.calendar import DateOutsideCalendar
from services.chassis.call import Call
from services.chassis.deadline import due
from services.chassis.mail import is_address
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotEntitledToFile,
    Unavailable,
)
from services.chassis.together import Together
from services.claims import intake, wire
from services.claims.authority import AuthorityState
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.flooding import TooManyFiled
from services.claims.servicer_common import (
    RESERVE_SECONDS,
    Office,
    blank_texts,
    is_officer,
    refuse,
)
from services.claims.servicer_flooding import FloodGate
from services.claims.servicer_turn import Asked, Filed, Turn
from services.claims.state import Claimant, ClaimKind, ClaimState, term_days

# Two at once would halve each other's crowd, and cost more than they save by overlapping.
_TURNS_AT_ONCE = 1


class Filing:
    """Takes claims; those that come in at the same moment are filed and pushed together."""

    def __init__(
        self, office: Office, gate: FloodGate, far_back: int = intake.FAR_BACK_WORKING_DAYS
    ) -> None:
        self._clock = office.clock
        self._calendar = office.calendar
        self._far_back = far_back
        self._gate = gate
        self._turn = Turn(office, gate)
        self._together = Together(self._turn.file_all, leaders=_TURNS_AT_ONCE)

    def file_claim(self, call: Call) -> claims_pb2.FileClaimResponse:
        """File a claim: recorded first, then brought into force; PENDING while the vault is away.

        Raises InvalidArgument, NotEntitledToFile, NotFound (a subject the site does not have),
        StateConflict (more claims than a subject can carry), ClaimLimitReached, Unavailable.
        """
        given = cast(claims_pb2.FileClaimRequest, call.request).claim
        refuse(_faults(given))
        claimant = Claimant(claims_pb2.Claim.Claimant.Name(given.claimant))
        if not intake.may_file(claimant, officer=is_officer(call)):
            raise NotEntitledToFile

        def recorded(claim_id: str, now: datetime) -> Claim:
            return self._claim(call, given, claim_id, now)

        claim = recorded("", self._clock.now())
        texts = _texts(given)
        emails = [text.document_id for text in texts if _is_email_address(text)]
        authority = given.authority if given.HasField("authority") else None
        filed = self._file(Asked(call, claim, recorded, texts, emails, authority))
        return claims_pb2.FileClaimResponse(
            claim=wire.claim_message(filed.claim),
            act_id=filed.act_id,
            enforcement=wire.enforcement(filed.claim.enforcement),
        )

    def _file(self, asked: Asked) -> Filed:
        try:
            return self._together.do(asked, asked.call.remaining() - RESERVE_SECONDS)
        except TooManyFiled as beyond:
            raise self._gate.turn_away(asked.call, asked.claim, asked.texts, beyond) from None
        except Unavailable:
            # It may be recorded all the same, and only be late on its way to the vault.
            filed = self._turn.stands(asked)
            if filed is None:
                raise
            return filed

    def _claim(self, call: Call, given: claims_pb2.NewClaim, claim_id: str, now: datetime) -> Claim:
        kind = ClaimKind(claims_pb2.Claim.Kind.Name(given.kind))
        proven = wire.instant(given.receipt_time) if given.HasField("receipt_time") else None
        try:
            receipt_time = intake.receipt_time(proven, now, officer=is_officer(call))
        except intake.ReceiptTimeRefused as refused:
            fault = FieldViolation("claim.receiptTime", refused.rule, refused.description)
            raise InvalidArgument(fields=[fault]) from None
        claimant = Claimant(claims_pb2.Claim.Claimant.Name(given.claimant))
        try:
            deadline = due(receipt_time, term_days(kind), self._calendar)
            far = intake.is_far_back(receipt_time, now, self._calendar, self._far_back)
        except DateOutsideCalendar:
            outside = FieldViolation("claim.receiptTime", "range", "lies outside the calendar")
            raise InvalidArgument(fields=[outside]) from None
        return Claim(
            site_id=call.principal.site_id,
            claim_id=claim_id,
            number="",
            subject_ids=tuple(given.subject_ids),
            kind=kind,
            claimant=claimant,
            state=(
                ClaimState.AWAITING_RECEIPT if claimant is Claimant.SITE else ClaimState.RECEIVED
            ),
            outcome=None,
            decision=None,
            language=given.language,
            receipt_time=receipt_time,
            record_time=now,
            deadline=deadline,
            answer_time=None,
            enforcement="",
            receipt_awaits=far,
            authority=(AuthorityState.UNSETTLED if claimant is Claimant.REPRESENTATIVE else None),
        )


def _is_email_address(text: Text) -> bool:
    return text.kind is DocumentKind.REPLY_ADDRESS and is_address(text.text)


def _texts(given: claims_pb2.NewClaim) -> list[Text]:
    texts = [
        Text(DocumentKind.STATEMENT, given.statement),
        Text(DocumentKind.DEMAND, given.demand),
    ]
    if given.HasField("proposed_correction"):
        proposed = wire.canonical_json(given.proposed_correction)
        texts.append(Text(DocumentKind.PROPOSED_CORRECTION, proposed))
    if given.reply_address:
        texts.append(Text(DocumentKind.REPLY_ADDRESS, given.reply_address))
    if given.HasField("authority"):
        texts.append(Text(DocumentKind.AUTHORITY, wire.canonical_json(given.authority)))
    return texts


def _faults(given: claims_pb2.NewClaim) -> list[FieldViolation]:
    faults = blank_texts(
        {
            "claim.statement": given.statement,
            "claim.demand": given.demand,
            "claim.replyAddress": given.reply_address,
        }
    )
    repeat = intake.first_repeat(given.subject_ids)
    if repeat is not None:
        faults.append(FieldViolation(f"claim.subjectIds[{repeat}]", "repeated", "is named twice"))
    if given.claimant == claims_pb2.Claim.SITE and given.HasField("receipt_time"):
        text = "is proven by recordReceipt, once the user has the claim"
        faults.append(FieldViolation("claim.receiptTime", "not_allowed", text))
    if given.HasField("authority"):
        if given.claimant != claims_pb2.Claim.REPRESENTATIVE:
            text = "goes with a representative's claim only"
            faults.append(FieldViolation("claim.authority", "not_allowed", text))
        if not given.authority.document:
            faults.append(FieldViolation("claim.authority.document", "required", "says what it is"))
    if given.HasField("proposed_correction") and not wire.given_names(given.proposed_correction):
        faults.append(FieldViolation("claim.proposedCorrection", "required", "names no datum"))
    return faults
