# SPDX-License-Identifier: Apache-2.0
"""Purpose-bound reads: messages in and out of the gate (clauses 4.1, 6.2.1, 6.2.3)."""

from __future__ import annotations

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.contract import Method
from services.chassis.pipeline import Handler
from services.chassis.recorder import references
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    PermissionDenied,
    refusal_of,
)
from services.chassis.side_by_side import SideBySide
from services.vault import wire
from services.vault.combiner import Combiner
from services.vault.decide import Operation, Question
from services.vault.gate import Contended, Gate, Given, Read, Refused, question_of_read
from services.vault.servicer import problem_of
from services.vault.site_fields import SiteFields, SiteLists
from services.vault.wire_records import purchases_to, visit_to

_Purpose = subject_pb2.Purpose.Code
_BATCH = 250


class ReadServicer:
    """ReadData, BatchReadData and ReadForVerification of the contract."""

    def __init__(self, gate: Gate, combiner: Combiner, lists: SiteLists) -> None:
        self._lists = lists
        self._side_by_side = SideBySide()
        self._gate = gate
        self._combiner = combiner

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "ReadData": self.read_data,
            "BatchReadData": self.batch_read_data,
            "ReadForVerification": self.read_for_verification,
        }

    def read_data(self, call: Call) -> vault_pb2.ReadDataResponse:
        """One purpose-bound read."""
        read = read_of(call, call.request, self._lists.of(call.principal.site_id))
        call.recorded = True
        given = _given(self._combiner.read(read, call.remaining()))
        return _read_response(given)

    def batch_read_data(self, call: Call) -> vault_pb2.BatchReadDataResponse:
        """Up to 1,000 reads; each member has its own outcome."""
        call.recorded = True
        assert isinstance(call.request, vault_pb2.BatchReadDataRequest)
        listed = self._lists.of(call.principal.site_id)
        reads = [read_of(call, item, listed) for item in call.request.items]
        parts = [reads[n : n + _BATCH] for n in range(0, len(reads), _BATCH)]
        outcomes = [o for part in self._side_by_side.each(self._gate.read, parts) for o in part]
        settled = [
            self._gate.read_alone(read) if isinstance(outcome, Contended) else outcome
            for read, outcome in zip(reads, outcomes, strict=True)
        ]
        return vault_pb2.BatchReadDataResponse(outcomes=[_batch_outcome(o) for o in settled])

    def read_for_verification(self, call: Call) -> vault_pb2.ReadForVerificationResponse:
        """The verifier's read: the only one under a block, for its claim alone."""
        request = call.request
        assert isinstance(request, vault_pb2.ReadForVerificationRequest)
        if not call.principal.is_person:
            raise PermissionDenied("4.1.5")
        question = Question(
            Operation.READ_FOR_VERIFICATION,
            "VERIFY_DATA",
            reference=request.claim_id,
            configured=self._lists.of(call.principal.site_id).reached_by("VERIFY_DATA"),
        )
        read = _read(call, request.subject_id, question, {"claim_id": request.claim_id})
        call.recorded = True
        given = _given(self._gate.read_alone(read))
        return vault_pb2.ReadForVerificationResponse(
            data=wire.data_to(given.data),
            version=given.version,
            entry_id=given.entry_id,
            visits=[visit_to(visit) for visit in given.records.visits],
        )


def read_of(call: Call, item: object, listed: SiteFields) -> Read:
    """A purpose-bound read as asked. Raises InvalidArgument for a field of no list.

    `listed` is the own list of the caller's site.
    """
    assert isinstance(item, vault_pb2.ReadDataRequest)
    known = _Purpose.DESCRIPTOR.values_by_number.get(item.purpose)
    purpose = known.name if known and known.number else ""
    try:
        question = question_of_read(
            purpose,
            call.principal.purposes,
            item.reference,
            item.fields,
            item.automated_decision,
            listed,
        )
    except ValueError:
        raise InvalidArgument(
            fields=[FieldViolation("fields", "unknown_field", "names a field that is not listed")]
        ) from None
    return _read(call, item.subject_id, question, references(item))


def _read(call: Call, subject: str, question: Question, refs: dict[str, str]) -> Read:
    method: Method = call.method
    return Read(
        site=call.principal.site_id,
        subject=subject,
        question=question,
        event=method.evidence,
        verb=method.verb,
        principal=call.principal.name,
        role=call.role,
        refs=refs,
        daily_subjects=call.principal.daily_subjects,
    )


def _given(outcome: Given | Refused) -> Given:
    if isinstance(outcome, Refused):
        raise refusal_of(outcome.reason, outcome.clause)
    return outcome


def _read_response(given: Given) -> vault_pb2.ReadDataResponse:
    return vault_pb2.ReadDataResponse(
        data=wire.data_to(given.data),
        version=given.version,
        entry_id=given.entry_id,
        visits=[visit_to(visit) for visit in given.records.visits],
        purchases=purchases_to(given.records.lines),
    )


def _batch_outcome(outcome: Given | Refused) -> vault_pb2.BatchReadOutcome:
    if isinstance(outcome, Given):
        return vault_pb2.BatchReadOutcome(read=_read_response(outcome))
    return vault_pb2.BatchReadOutcome(problem=problem_of(outcome))
