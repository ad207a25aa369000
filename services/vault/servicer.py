# SPDX-License-Identifier: Apache-2.0
"""What storefronts and officers ask of the vault: messages in and out of the gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.contract import Method
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.pipeline import Handler
from services.chassis.recorder import references
from services.chassis.refusal import (
    DataLoss,
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
    NotFound,
    PermissionDenied,
    VaultNotReady,
    VersionMismatch,
    refusal_of,
)
from services.vault import store, wire
from services.vault.combiner import Combiner
from services.vault.decide import Denial, Life, Operation, Question, decide
from services.vault.envelope import CiphertextMisplaced, VersionLimitReached
from services.vault.fields import Field
from services.vault.gate import Contended, Gate, Given, Outcome, Read, Refused, question_of_read
from services.vault.personal_data import DataChange, normalize_data
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.standing import OrderState
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore
from services.vault.violation import DataInvalid
from services.vault.wire_case import decided_on, life_of, schedule_of, standing_of
from services.vault.wire_records import purchases_to, visit_to
from services.vault.writer import Provenance, Writer

_Purpose = subject_pb2.Purpose.Code
_BATCH = 250


class VaultServicer:
    """VaultService of the contract."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        combiner: Combiner,
        writer: Writer,
        keys: KeyStore,
        idempotency: IdempotencyKeys,
        clock: Clock,
    ) -> None:
        self._database = database
        self._gate = gate
        self._combiner = combiner
        self._writer = writer
        self._keys = keys
        self._idempotency = idempotency
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "StoreData": self.store_data,
            "ReadData": self.read_data,
            "BatchReadData": self.batch_read_data,
            "ReadForVerification": self.read_for_verification,
            "GetStanding": self.get_standing,
        }

    def read_data(self, call: Call) -> vault_pb2.ReadDataResponse:
        """One purpose-bound read."""
        read = read_of(call, call.request)
        call.recorded = True
        given = _given(self._combiner.read(read, call.remaining()))
        return _read_response(given)

    def batch_read_data(self, call: Call) -> vault_pb2.BatchReadDataResponse:
        """Up to 1,000 reads; each member has its own outcome."""
        call.recorded = True
        reads = [read_of(call, item) for item in call.request.items]  # type: ignore[attr-defined]
        outcomes: list[Outcome] = []
        for start in range(0, len(reads), _BATCH):
            part = reads[start : start + _BATCH]
            outcomes += self._gate.read(part)
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
            Operation.READ_FOR_VERIFICATION, "VERIFY_DATA", reference=request.claim_id
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

    def store_data(self, call: Call) -> vault_pb2.StoreDataResponse:
        """A merge patch, as one new version."""
        request = call.request
        assert isinstance(request, vault_pb2.StoreDataRequest)
        change = _change(request)
        subject = (call.principal.site_id, request.subject_id)
        supplier = _supplier(request)
        with self._database.transaction() as connection:
            store.lock_exclusive(connection, *subject)
            case = self._permitted(connection, subject)
            now = self._clock.now()
            version = case.data_version + 1
            fresh = _result_id(version, now)
            stood = self._idempotency.begin(connection, call, fresh, now)
            if stood != fresh:
                return _stored(*_result_of(stood))
            if request.HasField("if_version") and request.if_version != case.data_version:
                raise VersionMismatch
            with told_apart("data"):
                changed = self._writer.write(
                    connection, subject, version, change, Provenance(supplier, request.form), now
                )
            if not changed:
                self._idempotency.amend(connection, call, _result_id(case.data_version, now))
            entry = self._stored_entry(call, case, subject, changed, version)
            evidence.append(connection, entry, now)
        return _stored(version if changed else case.data_version, now)

    def _permitted(self, connection: Connection, subject: Subject) -> Case:
        if not store.ready(connection):
            raise VaultNotReady(retry_after=1)
        case = store.cases(connection, [subject])[subject]
        now = self._clock.now()
        question = Question(Operation.STORE)
        decision = decide(question, life_of(case), standing_of(case), schedule_of(case), now)
        if isinstance(decision, Denial):
            raise refusal_of(decision.reason, decision.clause)
        return case

    def _stored_entry(
        self, call: Call, case: Case, subject: Subject, changed: frozenset[Field], version: int
    ) -> Entry:
        policy = schedule_of(case).in_force(self._clock.now())
        return Entry(
            event=call.method.evidence,
            verb="CLARIFY" if case.data_version else call.method.verb,
            outcome=evidence.DONE,
            site_id=subject[0],
            principal=call.principal.name,
            role=call.role,
            subject=self._keys.pseudonym(*subject),
            clause="6.1.2" if case.data_version else "3.2",
            decided_on=decided_on(case, policy)
            | {"fields": sorted(changed), "dataVersion": version if changed else case.data_version},
        )

    def get_standing(self, call: Call) -> vault_pb2.GetStandingResponse:
        """What stands about a subject, without its data."""
        request = call.request
        assert isinstance(request, vault_pb2.GetStandingRequest)
        subject = (call.principal.site_id, request.subject_id)
        with self._database.transaction() as connection:
            store.lock_shared(connection, *subject)
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            case = store.cases(connection, [subject])[subject]
            if life_of(case) is Life.UNKNOWN:
                raise NotFound
            now = self._clock.now()
            entry = Entry(
                event=call.method.evidence,
                verb=call.method.verb,
                outcome=evidence.PERMITTED,
                site_id=subject[0],
                principal=call.principal.name,
                role=call.role,
                subject=self._keys.pseudonym(*subject),
                clause="6.2.3",
                decided_on=decided_on(case, schedule_of(case).in_force(now)),
            )
            evidence.append(connection, entry, now)
        return vault_pb2.GetStandingResponse(standing=_standing_message(request.subject_id, case))


def read_of(call: Call, item: object) -> Read:
    """A purpose-bound read as asked. Raises InvalidArgument for a field of no list."""
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


def problem_of(refused: Refused) -> vault_pb2.Problem:
    """A refusal of one member of a batch."""
    code = contract_pb2.Refusal.Reason.Value(refused.reason)
    return vault_pb2.Problem(code=code, clause=refused.clause)


def _change(request: vault_pb2.StoreDataRequest) -> DataChange:
    change = wire.change_from(request.data, request.update_mask)
    if not change:
        raise InvalidArgument(
            fields=[FieldViolation("data", "required", "has to name at least one datum")]
        )
    try:
        return normalize_data(change)
    except DataInvalid as invalid:
        raise violations(invalid, "data") from None


def violations(invalid: DataInvalid, prefix: str) -> InvalidArgument:
    """The wrong fields of given data, below `prefix`."""
    return InvalidArgument(
        fields=[
            FieldViolation(f"{prefix}.{v.field}", str(v.rule), v.description)
            for v in invalid.violations
        ]
    )


@contextmanager
def told_apart(prefix: str) -> Iterator[None]:
    """Turns what data and keys can raise into refusals; `prefix` names the data's field."""
    try:
        yield
    except DataInvalid as invalid:
        raise violations(invalid, prefix) from None
    except (CiphertextMisplaced, KeyMoved, VersionLimitReached):
        raise DataLoss from None
    except KeyProviderError:
        raise KeyUnavailable from None


def _supplier(request: vault_pb2.StoreDataRequest) -> str:
    kinds = vault_pb2.Supplier
    if request.supplier == kinds.VERIFICATION:
        # Only the outcome of a verification writes in its name (clause 6.2.3).
        raise InvalidArgument(
            fields=[FieldViolation("supplier", "enum", "is the supplier of corrections only")]
        )
    return kinds.Kind.Name(request.supplier or kinds.SUBJECT)


def _result_id(version: int, now: datetime) -> str:
    """What stands under the key of a storing: version and time, so a repeat is told the same."""
    return f"{version}@{now.isoformat()}"


def _result_of(result_id: str) -> tuple[int, datetime]:
    """The version and the time of a storing that came about before."""
    version, _, time = result_id.partition("@")
    return int(version), datetime.fromisoformat(time)


def _stored(version: int, now: datetime) -> vault_pb2.StoreDataResponse:
    response = vault_pb2.StoreDataResponse(version=version)
    response.store_time.FromDatetime(now)
    return response


def _standing_message(subject_id: str, case: Case) -> vault_pb2.Standing:
    standing = standing_of(case)
    blocks = [b for b in (standing.claims.blocks if standing.claims else ()) if b.outcome is None]
    orders = standing.orders.orders if standing.orders else ()
    consent = standing.consent
    states = vault_pb2.Standing
    state = states.ACTIVE
    if life_of(case) is Life.DESTROYED:
        state = states.DESTROYED
    elif standing.restricted:
        state = states.RESTRICTED
    elif standing.blocked:
        state = states.BLOCKED
    return vault_pb2.Standing(
        subject_id=subject_id,
        state=state,
        blocked_since=wire.stamp_of(min((b.since for b in blocks), default=None)),
        data_version=case.data_version,
        accepted_policy_version=(consent.accepted_version or 0) if consent else 0,
        disagreed_time=wire.stamp_of(consent.disagreed_time if consent else None),
        open_blocks=len(blocks),
        open_orders=sum(o.state is OrderState.OPEN for o in orders),
    )
