# SPDX-License-Identifier: Apache-2.0
"""What the broker asks for a state body: messages in and out of the gate (clause 5.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from qupia.vault.v1 import authority_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    VaultNotReady,
    refusal_of,
)
from services.vault import store, store_repeats, wire
from services.vault.decide import Denial, Operation, Question
from services.vault.fields import NAME_FIELDS, TECHNICAL_FIELDS, AnyField, Field
from services.vault.gate import Gate, Read, Refused, decide_case
from services.vault.servicer import problem_of
from services.vault.site_fields import SiteFields, SiteLists
from services.vault.wire_records import purchases_to, visit_to

_Code = authority_pb2.DataCategory.Code
_FIELDS = {
    _Code.NAME: NAME_FIELDS,
    _Code.PHONE: frozenset({Field.PHONE}),
    _Code.EMAIL: frozenset({Field.EMAIL}),
    _Code.ADDRESS: frozenset({Field.ADDRESS}),
    _Code.TECHNICAL: TECHNICAL_FIELDS,
    _Code.PURCHASES: frozenset({Field.PURCHASES}),
}


class AuthorityServicer:
    """VaultAuthorityService of the contract."""

    def __init__(self, database: Database, gate: Gate, lists: SiteLists, clock: Clock) -> None:
        self._database = database
        self._gate = gate
        self._lists = lists
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "CheckForAuthority": self.check_for_authority,
            "ReadForAuthority": self.read_for_authority,
        }

    def check_for_authority(self, call: Call) -> authority_pb2.CheckForAuthorityResponse:
        """What the gate would answer now; nothing is opened. Raises VaultNotReady."""
        request = call.request
        assert isinstance(request, authority_pb2.CheckForAuthorityRequest)
        question = self._question(request.question)
        subject = (request.question.site_id, request.question.subject_id)
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            store.lock_shared(connection, *subject)
            case = store.cases(connection, [subject])[subject]
        decision = decide_case(question, case, self._clock.now())
        if isinstance(decision, Denial):
            problem = problem_of(Refused(decision.reason, decision.clause))
            return authority_pb2.CheckForAuthorityResponse(problem=problem)
        answer = authority_pb2.CheckForAuthorityResponse()
        if decision.disputed_since is not None:
            answer.disputed_time.FromDatetime(decision.disputed_since)
        return answer

    def read_for_authority(self, call: Call) -> authority_pb2.ReadForAuthorityResponse:
        """What was asked for and approved; where this repeats a release, what that one gave of it.

        Raises the gate's refusal, InvalidArgument for a first release that is none of the request.
        """
        request = call.request
        assert isinstance(request, authority_pb2.ReadForAuthorityRequest)
        read = self._read(call, request)
        call.recorded = True
        outcome = self._gate.read_alone(read)
        if isinstance(outcome, Refused):
            raise refusal_of(outcome.reason, outcome.clause)
        answer = authority_pb2.ReadForAuthorityResponse(
            data=wire.data_to(outcome.data),
            visits=[visit_to(visit) for visit in outcome.records.visits],
            purchases=purchases_to(outcome.records.lines),
            version=outcome.version,
            entry_id=outcome.entry_id,
            fields=sorted([*outcome.data, *outcome.records.fields]),
        )
        if outcome.disputed_since is not None:
            answer.disputed_time.FromDatetime(outcome.disputed_since)
        return answer

    def _read(self, call: Call, request: authority_pb2.ReadForAuthorityRequest) -> Read:
        asked = request.question
        refs = {
            "request_id": request.request_id,
            "authority_id": request.authority_id,
            "release_id": request.release_id,
            "claim_id": asked.claim_id,
            "ground": request.ground,
            "first_release_id": request.first_release_id,
        }
        return Read(
            site=asked.site_id,
            subject=asked.subject_id,
            question=self._repeating(request, self._question(asked)),
            event=call.method.evidence,
            verb=call.method.verb,
            principal=call.principal.name,
            role="",
            refs={name: value for name, value in refs.items() if value},
            release_id=request.release_id,
            secret_until=_secret_until(request),
        )

    def _repeating(
        self, request: authority_pb2.ReadForAuthorityRequest, question: Question
    ) -> Question:
        if not request.first_release_id:
            return question
        with self._database.transaction() as connection:
            former = store_repeats.former_read(
                connection, request.question.site_id, request.request_id, request.first_release_id
            )
        if former is None:
            wrong = FieldViolation("first_release_id", "reference", "gave nothing for this request")
            raise InvalidArgument(fields=[wrong])
        fields = frozenset(each for each in question.fields or () if each in former.fields)
        return replace(question, fields=fields, stored_until=former.read_time)

    def _question(self, asked: authority_pb2.AuthorityQuestion) -> Question:
        return Question(
            Operation.READ_FOR_AUTHORITY,
            fields=_reached(asked, self._lists.of(asked.site_id)),
            reference=asked.claim_id,
            compelled=asked.compelled,
        )


def _reached(asked: authority_pb2.AuthorityQuestion, listed: SiteFields) -> frozenset[AnyField]:
    """The data of the categories. Raises InvalidArgument for one that is none."""
    reached: frozenset[AnyField] = frozenset()
    for code in asked.categories:
        if code != _Code.CONFIGURED and code not in _FIELDS:
            wrong = FieldViolation("question.categories", "enum", "names a category that is none")
            raise InvalidArgument(fields=[wrong])
        reached |= listed.fields() if code == _Code.CONFIGURED else _FIELDS[code]
    return reached


def _secret_until(request: authority_pb2.ReadForAuthorityRequest) -> datetime | None:
    if not request.HasField("secret_until_time"):
        return None
    return request.secret_until_time.ToDatetime(tzinfo=UTC)
