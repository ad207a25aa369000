# SPDX-License-Identifier: Apache-2.0
"""ConcludeVerification: the outcome lifts, corrects and lifts, or restricts (clause 6.2.3)."""

from typing import cast

from qupia.claims.v1 import claims_pb2
from services.chassis.call import Call
from services.chassis.ids import new_uuid
from services.chassis.refusal import FieldViolation, NotFound, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_steps, wire
from services.claims.authority import AuthorityState
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text, salted_digest
from services.claims.servicer_common import Office, blank_texts, refuse, require_officer
from services.claims.state import ClaimAct, IllegalTransition, Outcome, transition
from services.claims.store_steps import Conclusion
from services.claims.store_verification import Desk, to_destroy

_STAGE_SECONDS = 2.0
# What the act itself and its push need after a correction was staged.
_RESERVE_SECONDS = 1.0


class Verifying:
    """Ends verifications."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def conclude_verification(self, call: Call) -> claims_pb2.ConcludeVerificationResponse:
        """Conclude: a correction is first staged at the vault, then the outcome is recorded.

        Raises PermissionDenied, NotFound, InvalidArgument, StateConflict, Unavailable (nothing is
        recorded then).
        """
        require_officer(call)
        request = cast(claims_pb2.ConcludeVerificationRequest, call.request)
        refuse(_faults(request))
        attempt = new_uuid()
        claim = self._open_claim(call, request, attempt)
        if claim is not None:
            self._conclude(call, request, claim, attempt)
        return self._answer(call, request.claim_id)

    def _open_claim(
        self, call: Call, request: claims_pb2.ConcludeVerificationRequest, attempt: str
    ) -> Claim | None:
        """The claim to conclude; None where this very call concluded it before."""
        office = self._office
        with office.database.transaction() as connection:
            # The key is only tried here: it is taken with the act, once the vault has agreed.
            with connection.begin_nested() as trial:
                stood = office.keys.begin(connection, call, attempt, office.clock.now())
                trial.rollback()
            if stood != attempt:
                return None
            claim = store.read_claim(connection, call.principal.site_id, request.claim_id)
        if claim is None:
            raise NotFound
        outcome = _outcome(request)
        if claim.authority is AuthorityState.UNSETTLED:
            # Who it is that claims comes first.
            raise StateConflict
        try:
            transition(claim.state, ClaimAct.CONCLUDE_VERIFICATION, claim.verification)
        except IllegalTransition:
            raise StateConflict from None
        if outcome is not Outcome.NOT_CONFIRMED and not claim.subject_ids:
            # It would act on nobody's data.
            raise StateConflict
        refuse(_subject_faults(request, claim))
        return claim

    def _conclude(
        self,
        call: Call,
        request: claims_pb2.ConcludeVerificationRequest,
        claim: Claim,
        attempt: str,
    ) -> None:
        office = self._office
        conclusion = _conclusion(request, claim, attempt)
        if conclusion.correction_id:
            self._stage(call, request, claim, conclusion)
        with office.database.transaction() as connection:
            now = office.clock.now()
            if office.keys.begin(connection, call, attempt, now) != attempt:
                return
            key = sealed_store.current_key(connection)
            text = Text(DocumentKind.VERIFICATION_EVIDENCE, request.evidence)
            step = office.step(call, key, claim, [text], self._digests(request, conclusion))
            try:
                store_steps.conclude(connection, claim, conclusion, step, wire.slice_bytes, now)
            except IllegalTransition:
                raise StateConflict from None
            if conclusion.outcome is Outcome.UNLAWFUL_CONFIRMED:
                desk = Desk(wire.slice_bytes, office.calendar, now)
                to_destroy(connection, claim, claim.subject_ids, desk)

    def _stage(
        self,
        call: Call,
        request: claims_pb2.ConcludeVerificationRequest,
        claim: Claim,
        conclusion: Conclusion,
    ) -> None:
        office = self._office
        if claim.enforcement == "PENDING":
            # The vault has to know the block before it hears of the block's outcome.
            office.bring_into_force(call, claim)
        office.vault.stage_correction(
            claim.site_id,
            conclusion.subject_id,
            claim.claim_id,
            conclusion.correction_id,
            request.correction,
            max(0.1, min(_STAGE_SECONDS, call.remaining() - _RESERVE_SECONDS)),
            call.reference,
        )

    def _digests(
        self, request: claims_pb2.ConcludeVerificationRequest, conclusion: Conclusion
    ) -> dict[str, str]:
        if not conclusion.correction_id:
            return {}
        data = wire.canonical_json(request.correction)
        return {
            "correction": salted_digest(
                self._office.secret, conclusion.correction_id, data.encode()
            )
        }

    def _answer(self, call: Call, claim_id: str) -> claims_pb2.ConcludeVerificationResponse:
        office = self._office
        office.bring_into_force(call, office.read(call, claim_id))
        claim = office.read(call, claim_id)
        with office.database.transaction() as connection:
            site_id, kind = claim.site_id, call.method.evidence
            act_id = store_acts.first_act_id(connection, site_id, claim_id, kind)
            version = store_acts.correction_version(connection, site_id, claim_id)
        return claims_pb2.ConcludeVerificationResponse(
            claim=wire.claim_message(claim),
            act_id=act_id,
            enforcement=wire.enforcement(claim.enforcement),
            version=version,
        )


def _outcome(request: claims_pb2.ConcludeVerificationRequest) -> Outcome:
    return Outcome(claims_pb2.Claim.Outcome.Name(request.outcome))


def _conclusion(
    request: claims_pb2.ConcludeVerificationRequest, claim: Claim, attempt: str
) -> Conclusion:
    outcome = _outcome(request)
    if outcome is not Outcome.INACCURATE_CONFIRMED:
        return Conclusion(outcome, "", "")
    return Conclusion(outcome, request.subject_id or claim.subject_ids[0], attempt)


def _faults(request: claims_pb2.ConcludeVerificationRequest) -> list[FieldViolation]:
    faults = blank_texts({"evidence": request.evidence})
    corrects = _outcome(request) is Outcome.INACCURATE_CONFIRMED
    if corrects and not wire.given_names(request.correction):
        faults.append(FieldViolation("correction", "required", "has to name what the data become"))
    if not corrects and request.HasField("correction"):
        faults.append(
            FieldViolation("correction", "not_allowed", "goes with INACCURATE_CONFIRMED only")
        )
    return faults


def _subject_faults(
    request: claims_pb2.ConcludeVerificationRequest, claim: Claim
) -> list[FieldViolation]:
    if request.subject_id:
        if request.subject_id in claim.subject_ids:
            return []
        return [FieldViolation("subjectId", "unknown", "is not named in the claim")]
    if _outcome(request) is Outcome.INACCURATE_CONFIRMED and len(claim.subject_ids) > 1:
        return [FieldViolation("subjectId", "required", "the claim names several subjects")]
    return []
