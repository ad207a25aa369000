# SPDX-License-Identifier: Apache-2.0
"""One-time codes and the sessions of the persons concerned: messages in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qupia.vault.v1 import access_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    BudgetExhausted,
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    VaultNotReady,
    refusal_of,
)
from services.vault import access_code, store
from services.vault.access import Access, Issued, NotRedeemed, Redeemed, require_live
from services.vault.access_code import Code
from services.vault.access_letter import DEFAULT_LANGUAGE
from services.vault.decide import Denial, Life
from services.vault.servicer import told_apart
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore
from services.vault.wire_case import decided_on, life_of, schedule_of

_CLAUSE = "6.1.3"
_VALID_SECONDS = int(access_code.CODE_LIFE.total_seconds())


class AccessServicer:
    """VaultAccessService of the contract.

    `can_send` says whether letters leave at all, `wake` that one is due.
    """

    def __init__(
        self,
        database: Database,
        access: Access,
        keys: KeyStore,
        idempotency: IdempotencyKeys,
        refusals: RefusalLog,
        clock: Clock,
        can_send: bool,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._access = access
        self._keys = keys
        self._idempotency = idempotency
        self._refusals = refusals
        self._clock = clock
        self._can_send = can_send
        self._wake = wake

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "IssueAccessCode": self.issue_access_code,
            "RedeemAccessCode": self.redeem_access_code,
            "EndAccess": self.end_access,
        }

    def issue_access_code(self, call: Call) -> access_pb2.IssueAccessCodeResponse:
        """By letter for a storefront, by hand for an officer."""
        request = call.request
        assert isinstance(request, access_pb2.IssueAccessCodeRequest)
        if call.role == "STOREFRONT":
            return self._by_letter(call, request)
        return self._by_hand(call, request)

    def _by_letter(
        self, call: Call, request: access_pb2.IssueAccessCodeRequest
    ) -> access_pb2.IssueAccessCodeResponse:
        if request.HasField("identification"):
            raise _wrong("identification", "absent", "is an officer's to give")
        if not self._can_send:
            raise Unavailable(retry_after=60)
        subject = (call.principal.site_id, request.subject_id)
        with self._database.transaction() as connection, told_apart("email"):
            case = self._locked(connection, subject)
            code_id = new_uuid()
            stood = self._idempotency.begin(connection, call, code_id, self._clock.now())
            if stood == code_id:
                language = request.language or DEFAULT_LANGUAGE
                found = self._access.issue_by_letter(connection, subject, case, language, code_id)
                self._record_issue(connection, call, subject, case, found, {"channel": "EMAIL"})
        self._wake()
        # Whoever the subject is, and whether or not there is one.
        return access_pb2.IssueAccessCodeResponse(valid_seconds=_VALID_SECONDS)

    def _by_hand(
        self, call: Call, request: access_pb2.IssueAccessCodeRequest
    ) -> access_pb2.IssueAccessCodeResponse:
        if not call.principal.is_person:
            raise PermissionDenied("1.1.1")
        if not request.HasField("identification"):
            raise _wrong("identification", "required", "has to say who was identified, and how")
        methods = access_pb2.Identification.Method
        refs = {
            "channel": "OFFICER",
            "identified_by": methods.Name(request.identification.method),
            "reference": request.identification.reference,
        }
        subject = (call.principal.site_id, request.subject_id)
        answer = access_pb2.IssueAccessCodeResponse(valid_seconds=_VALID_SECONDS)
        with self._database.transaction() as connection, told_apart("subjectId"):
            case = self._locked(connection, subject)
            code_id = new_uuid()
            stood = self._idempotency.begin(connection, call, code_id, self._clock.now())
            if stood != code_id:
                return answer
            found = self._access.issue_by_hand(connection, subject, case, code_id)
            if isinstance(found, Denial):
                raise refusal_of(found.reason, found.clause)
            self._record_issue(connection, call, subject, case, found, refs)
        answer.code = found.code.shown
        return answer

    def redeem_access_code(self, call: Call) -> access_pb2.RedeemAccessCodeResponse:
        """A session for a code. Raises Unauthenticated, whatever is wrong with it."""
        request = call.request
        assert isinstance(request, access_pb2.RedeemAccessCodeRequest)
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            tried = self._access.redeem(connection, Code.read(request.code), request.request_id)
            recorded = self._record_redemption(connection, call, tried)
        call.recorded = True
        if not recorded:
            # Only now: a wrong try counts, whatever the budget of refusals says.
            raise BudgetExhausted(retry_after=60)
        if isinstance(tried, NotRedeemed):
            raise Unauthenticated
        response = access_pb2.RedeemAccessCodeResponse(
            session=tried.token, subject_id=tried.session.subject
        )
        response.expire_time.FromDatetime(tried.session.expire_time)
        return response

    def end_access(self, call: Call) -> access_pb2.EndAccessResponse:
        """Every code and session of a subject ends."""
        request = call.request
        assert isinstance(request, access_pb2.EndAccessRequest)
        subject = (call.principal.site_id, request.subject_id)
        if call.principal.subject_id not in ("", request.subject_id):
            raise NotFound
        with self._database.transaction() as connection:
            store.lock_exclusive(connection, *subject)
            case = store.cases(connection, [subject])[subject]
            if life_of(case) is Life.UNKNOWN:
                raise NotFound
            now = self._clock.now()
            if call.principal.subject_id:
                require_live(connection, call.principal, now)
            entry_id = new_uuid()
            if self._idempotency.begin(connection, call, entry_id, now) == entry_id:
                ended = self._access.end(connection, subject)
                entry = self._entry(call, subject, evidence.DONE, decided=dict(ended))
                evidence.append(connection, entry, now)
        return access_pb2.EndAccessResponse()

    def _locked(self, connection: Connection, subject: Subject) -> Case:
        store.lock_exclusive(connection, *subject)
        if not store.ready(connection):
            raise VaultNotReady(retry_after=1)
        return store.cases(connection, [subject])[subject]

    def _record_issue(
        self,
        connection: Connection,
        call: Call,
        subject: Subject,
        case: Case,
        found: Issued | Denial,
        refs: Mapping[str, str],
    ) -> None:
        now = self._clock.now()
        if isinstance(found, Denial):
            entry = self._entry(
                call, subject, evidence.REFUSED, refs, reason=found.reason, clause=found.clause
            )
            try:
                self._refusals.record(connection, entry, now)
            except BudgetExhausted:
                # It would tell those who are there from those who are not.
                return
            return
        decided = decided_on(case, schedule_of(case).in_force(now))
        entry = self._entry(
            call,
            subject,
            evidence.DONE,
            {**refs, "access_code_id": found.code_id},
            decided={**decided, "fields": ["email"] if refs["channel"] == "EMAIL" else []},
        )
        evidence.append(connection, entry, now)

    def _record_redemption(
        self, connection: Connection, call: Call, tried: Redeemed | NotRedeemed
    ) -> bool:
        """Record it; False where the budget of refusals is used up."""
        now, code = self._clock.now(), tried.code
        subject = (code.site, code.subject) if code else ("", "")
        refs = {"access_code_id": code.code_id} if code else {}
        if isinstance(tried, Redeemed):
            if not tried.again:
                evidence.append(connection, self._entry(call, subject, evidence.DONE, refs), now)
            return True
        entry = self._entry(call, subject, evidence.REFUSED, refs, reason=Unauthenticated.reason)
        try:
            self._refusals.record(connection, entry, now)
        except BudgetExhausted:
            return False
        return True

    def _entry(
        self,
        call: Call,
        subject: Subject,
        outcome: str,
        refs: Mapping[str, str] | None = None,
        *,
        reason: str = "",
        clause: str = _CLAUSE,
        decided: Mapping[str, object] | None = None,
    ) -> Entry:
        return Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=outcome,
            site_id=subject[0],
            principal=call.principal.name,
            role=call.role,
            subject=self._keys.pseudonym(*subject) if subject[1] else "",
            clause=clause,
            reason=reason,
            refs=refs or {},
            decided_on=decided or {},
        )


def _wrong(name: str, rule: str, description: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation(name, rule, description)])
