# SPDX-License-Identifier: Apache-2.0
"""ReleaseToAuthority: the last decision before the data go, and the code that opens it (5.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import cast

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import authority_requests_pb2
from qupia.vault.v1 import authority_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.pipeline import Handler, is_decision
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import FieldViolation, InvalidArgument, Unavailable, refusal_of
from services.chassis.sealed import store as sealed_store
from services.disclosure import (
    store_authority_releases,
    store_authority_requests,
    store_ledger,
    wire,
    wire_authorities,
)
from services.disclosure.authority_release import CLAUSE, line
from services.disclosure.authority_request import (
    CODE_LIFE,
    HOLDING,
    AuthorityRequest,
    PickUpCode,
    RequestState,
    release_denial,
)
from services.disclosure.authority_texts import Text, TextKind
from services.disclosure.ledger import Outcome
from services.disclosure.permission import Denial
from services.disclosure.servicer_acts import DONE, REFUSED
from services.disclosure.servicer_authorities import require_person
from services.disclosure.servicer_authority_desk import Desk, body_denial, proof

_R = authority_requests_pb2
_CHECK_SECONDS = 2.0


class AuthorityReleaseServicer:
    """Lets the official of an approved request pick its package up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"ReleaseToAuthority": self.release_to_authority}

    def release_to_authority(self, call: Call) -> _R.ReleaseToAuthorityResponse:
        """Give out a one-time code; a code that was out before is void.

        A package that was picked up is let go once more only as `repeated`, with a reason.
        Raises AwaitingSecondApproval (not approved yet, or compelled by who entered it),
        LegalGroundMissing (compelled without a compulsory act), RecipientNotPermitted for a body
        that is suspended, SubjectBlocked or
        SubjectRestricted (HELD from then on), StateConflict, NotFound, Unavailable.
        """
        asked = cast(_R.ReleaseToAuthorityRequest, call.request)
        require_person(call)
        if (asked.compelled or asked.repeated) and not asked.reason.strip():
            told = "has to be given where compelled or repeated"
            raise InvalidArgument(fields=[FieldViolation("reason", "required", told)])
        desk = self._desk
        with desk.database.transaction() as connection:
            request = desk.find(connection, call, asked.authority_request_id)
            if desk.keys.standing(connection, call) is not None:
                # The code is told once. What became of the request since is for nobody to decide.
                return _R.ReleaseToAuthorityResponse(request=desk.message(connection, request))
            self._require_releasable(connection, call, request, asked)
        against = self._ask(call, _compelled(request, compelled=asked.compelled))
        if against is not None:
            self._hold(call, request, against)
            raise refusal_of(against.reason, against.clause)
        answer = self._let_go(call, asked)
        desk.deliver(call, asked.authority_request_id)
        return answer

    def _require_releasable(
        self,
        connection: Connection,
        call: Call,
        request: AuthorityRequest,
        asked: _R.ReleaseToAuthorityRequest,
    ) -> None:
        now, place = self._desk.clock.now(), (request.site_id, request.request_id)
        reason = release_denial(
            request,
            call.principal.name,
            now,
            compelled=asked.compelled,
            repeated=asked.repeated,
        )
        if reason:
            raise refusal_of(reason, CLAUSE)
        denial = body_denial(connection, request.site_id, request.authority_id)
        if denial is not None:
            raise refusal_of(denial.reason, denial.clause)
        under_way = store_authority_releases.is_under_way(connection, *place)
        if under_way or sealed_store.stored_at(connection, *place, request.official_id) is None:
            raise Unavailable(retry_after=1)

    def _ask(self, call: Call, request: AuthorityRequest) -> Denial | None:
        """What the vault has against it now; it decides again when the data leave."""
        question = authority_pb2.CheckForAuthorityRequest(
            question=wire_authorities.question(request)
        )
        seconds = min(_CHECK_SECONDS, max(0.001, call.remaining()))
        problem = self._desk.vault.check_for_authority(question, seconds).problem
        if not problem.code:
            return None
        reason = contract_pb2.Refusal.Reason.Name(problem.code)
        refusal = refusal_of(reason, problem.clause)
        if not is_decision(refusal):
            raise refusal
        return Denial(reason, refusal.clause or CLAUSE)

    def _hold(self, call: Call, request: AuthorityRequest, against: Denial) -> None:
        """Record that it is held, or that there is nobody to tell of (any more)."""
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.transaction() as connection:
            found = desk.find(connection, call, request.request_id, lock=True)
            if against.reason in HOLDING and found.state is not RequestState.REJECTED:
                store_authority_requests.save(connection, found.held())
            told = line(found, new_uuid(), Outcome.REFUSED, now, against=against)
            refused = proof(call, REFUSED, found, now, reason=against.reason, clause=against.clause)
            store_ledger.record_authority(connection, told, refused)
        call.recorded = True

    def _let_go(
        self, call: Call, asked: _R.ReleaseToAuthorityRequest
    ) -> _R.ReleaseToAuthorityResponse:
        desk, now, code = self._desk, self._desk.clock.now(), PickUpCode.generate()
        change_id, expires = new_uuid(), now + CODE_LIFE
        with desk.database.transaction() as connection:
            request = desk.find(connection, call, asked.authority_request_id, lock=True)
            self._require_releasable(connection, call, request, asked)
            fresh = desk.keys.begin(connection, call, change_id, now) == change_id
            if fresh:
                expires = min(expires, request.expire_time)
                self._write(connection, call, asked, request, code, expires, now)
            found = desk.find(connection, call, request.request_id)
            answer = _R.ReleaseToAuthorityResponse(request=desk.message(connection, found))
        if fresh:
            answer.code = code.shown
            answer.code_expire_time.CopyFrom(wire.timestamp(expires) or answer.code_expire_time)
        return answer

    def _write(
        self,
        connection: Connection,
        call: Call,
        asked: _R.ReleaseToAuthorityRequest,
        request: AuthorityRequest,
        code: PickUpCode,
        expires: datetime,
        now: datetime,
    ) -> None:
        changed = _compelled(request, compelled=asked.compelled)
        changed = replace(
            changed,
            decision=replace(changed.decision, released_by=call.principal.name),
            # What was given stays given: a code beside PICKED_UP is for a repeat.
            state=RequestState.PICKED_UP if asked.repeated else RequestState.READY,
            code_sha256=code.sha256,
            code_expire_time=expires,
        )
        if asked.compelled or asked.repeated:
            place = (request.site_id, request.request_id)
            self._desk.keep_texts(connection, place, [Text(TextKind.REASON, asked.reason)], now)
        store_authority_requests.save(connection, changed)
        subject = pseudonym_of(connection, request.site_id, request.subject_id)
        told = {"compelled": asked.compelled, "repeated": asked.repeated}
        permit = proof(call, DONE, changed, now, subject=subject, decided_on=told)
        evidence.append(connection, permit, now)


def _compelled(request: AuthorityRequest, *, compelled: bool) -> AuthorityRequest:
    return replace(request, decision=replace(request.decision, compelled=compelled))
