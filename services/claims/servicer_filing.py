# SPDX-License-Identifier: Apache-2.0
"""FileClaim: a claim is received, numbered, and blocks from this moment (clauses 6.2.3, 8.1)."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from qupia.claims.v1 import claims_pb2
from services.chassis.calendar import DateOutsideCalendar
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.deadline import due
from services.chassis.ids import new_uuid
from services.chassis.mail import is_address
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotEntitledToFile,
    NotFound,
    Refusal,
    StateConflict,
)
from services.chassis.sealed import store as sealed_store
from services.claims import (
    intake,
    store,
    store_acts,
    store_answers,
    store_steps,
    store_verification,
    wire,
)
from services.claims.authority import AuthorityState
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.flooding import TooManyFiled
from services.claims.servicer_common import Office, blank_texts, is_officer, refuse
from services.claims.servicer_flooding import FloodGate
from services.claims.state import Claimant, ClaimKind, ClaimState, term_days
from services.claims.store_steps import TooManyClaims
from services.claims.store_verification import Desk

_LOOK_UP_SECONDS = 1.0
_PUSH_SECONDS = 2.0
# A vault that did not answer a moment ago is asked once more, not waited for.
_PUSH_SECONDS_WITHOUT_VAULT = 0.3


class _TurnedAway(Exception):
    """The claim goes beyond a limit; nothing of it is kept but the evidence."""

    def __init__(self, claim: Claim, texts: list[Text], beyond: TooManyFiled) -> None:
        super().__init__()
        self.claim = claim
        self.texts = texts
        self.beyond = beyond


class Filing:
    """Takes claims."""

    def __init__(
        self, office: Office, gate: FloodGate, far_back: int = intake.FAR_BACK_WORKING_DAYS
    ) -> None:
        self._office = office
        self._gate = gate
        self._calendar = office.calendar
        self._far_back = far_back

    def file_claim(self, call: Call) -> claims_pb2.FileClaimResponse:
        """File a claim: recorded first, then brought into force; PENDING while the vault is away.

        Raises InvalidArgument, NotEntitledToFile, NotFound (a subject the site does not have),
        StateConflict (more claims than a subject can carry), ClaimLimitReached, Unavailable.
        """
        office = self._office
        given = cast(claims_pb2.FileClaimRequest, call.request).claim
        refuse(_faults(given))
        claimant = Claimant(claims_pb2.Claim.Claimant.Name(given.claimant))
        if not intake.may_file(claimant, officer=is_officer(call)):
            raise NotEntitledToFile
        known = self._look_up(call, given.subject_ids)
        try:
            with office.database.transaction() as connection:
                stood = self._file(connection, call, given, known)
        except _TurnedAway as turned:
            raise self._gate.turn_away(call, turned.claim, turned.texts, turned.beyond) from None
        return self._answer(call, stood, vault_away=known is None)

    def _file(
        self,
        connection: Connection,
        call: Call,
        given: claims_pb2.NewClaim,
        known: frozenset[str] | None,
    ) -> Claim:
        """Write the claim once per idempotency key. Raises _TurnedAway and refusals."""
        office, now, claim_id = self._office, self._office.clock.now(), new_uuid()
        stood = office.keys.begin(connection, call, claim_id, now)
        if stood != claim_id:
            return _read(connection, call, stood)
        if known is not None and not known.issuperset(given.subject_ids):
            raise NotFound
        claim = self._claim(call, given, claim_id, now)
        texts = _texts(given)
        step = office.step(call, sealed_store.current_key(connection), claim, texts)

        def require_room() -> None:
            if not is_officer(call):
                self._gate.require_room(connection, claim, step.by.principal)

        try:
            store_steps.file(connection, claim, step, wire.slice_bytes, require_room)
        except TooManyClaims:
            raise StateConflict from None
        except TooManyFiled as beyond:
            raise _TurnedAway(claim, texts, beyond) from None
        paper = wire.authority(given.authority) if given.HasField("authority") else None
        desk = Desk(wire.slice_bytes, self._calendar, now)
        store_verification.filed(connection, claim, paper, step.by.principal, desk)
        for text in texts:
            if text.kind is DocumentKind.REPLY_ADDRESS and is_address(text.text):
                store_answers.keep_email_address(
                    connection, claim.site_id, claim_id, text.document_id
                )
        return claim

    def _look_up(self, call: Call, subject_ids: Sequence[str]) -> frozenset[str] | None:
        """Those of the subjects that the site has; None where the vault cannot say."""
        if not subject_ids:
            return frozenset()
        seconds = min(_LOOK_UP_SECONDS, call.remaining())
        try:
            return self._office.vault.look_up(
                call.principal.site_id, subject_ids, seconds, call.reference
            )
        except Refusal:
            # Whatever keeps the vault from answering must not keep a person from claiming.
            return None

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

    def _answer(
        self, call: Call, claim: Claim, *, vault_away: bool
    ) -> claims_pb2.FileClaimResponse:
        office, claim_id = self._office, claim.claim_id
        most = _PUSH_SECONDS_WITHOUT_VAULT if vault_away else _PUSH_SECONDS
        office.bring_into_force(call, claim, most)
        with office.database.transaction() as connection:
            claim = _read(connection, call, claim_id)
            act_id = store_acts.first_act_id(
                connection, claim.site_id, claim_id, call.method.evidence
            )
        return claims_pb2.FileClaimResponse(
            claim=wire.claim_message(claim),
            act_id=act_id,
            enforcement=wire.enforcement(claim.enforcement),
        )


def _read(connection: Connection, call: Call, claim_id: str) -> Claim:
    claim = store.read_claim(connection, call.principal.site_id, claim_id)
    if claim is None:
        raise NotFound
    return claim


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
