# SPDX-License-Identifier: Apache-2.0
"""Recording visits and purchases (clauses 3.3, 3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from qupia.vault.v1 import storing_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    AlreadyExists,
    FieldViolation,
    InvalidArgument,
    VaultNotReady,
    refusal_of,
)
from services.vault import store, store_records
from services.vault.decide import Denial, Operation, Question
from services.vault.envelope import CiphertextMisplaced, VersionLimitReached
from services.vault.gate import Refused, decide_case
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.purchases import normalize_line, seal_line
from services.vault.secret_key import SecretKey
from services.vault.servicer import problem_of, told_apart
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore, OwnerKey
from services.vault.violation import DataInvalid, FieldInvalid
from services.vault.visits import Visit, normalize_visit, seal_visit
from services.vault.wire_case import decided_on, schedule_of
from services.vault.wire_records import access_time, line_from, visit_from

_RECORD = Question(Operation.RECORD_VISIT)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the items of one call are decided on."""

    cases: Mapping[Subject, Case]
    keys: Mapping[Subject, OwnerKey]
    opened: dict[Subject, SecretKey | Refused]
    now: datetime


class RecordServicer:
    """RecordVisits and StorePurchase of the contract."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        idempotency: IdempotencyKeys,
        refusals: RefusalLog,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keys = keys
        self._idempotency = idempotency
        self._refusals = refusals
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"RecordVisits": self.record_visits, "StorePurchase": self.store_purchase}

    def record_visits(self, call: Call) -> storing_pb2.RecordVisitsResponse:
        """Up to 1,000 visits in one transaction; each has its own outcome."""
        request = call.request
        assert isinstance(request, storing_pb2.RecordVisitsRequest)
        now = self._clock.now()
        visits = _visits(request, now)
        site = call.principal.site_id
        subjects = [(site, item.subject_id) for item in request.items]
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            batch_id = self._idempotency.begin(connection, call, new_uuid(), now)
            _lock(connection, sorted(set(subjects)))
            asked = set(subjects)
            cases, keys = store.cases(connection, asked), self._keys.owner_keys(asked)
            batch = _Batch(cases, keys, {}, now)
            ids = [f"{batch_id}-{number:04d}" for number in range(len(subjects))]
            places = {(subject, i) for (_, subject), i in zip(subjects, ids, strict=True)}
            known = store_records.known_visits(connection, site, places)
            rows, outcomes = [], []
            for subject, visit_id, visit in zip(subjects, ids, visits, strict=True):
                outcome: Refused | None = None
                if (subject[1], visit_id) not in known:
                    sealed = self._sealed(batch, subject, visit_id, visit)
                    if isinstance(sealed, Refused):
                        outcome = sealed
                    else:
                        rows.append((subject, visit_id, sealed))
                outcomes.append(outcome)
            store_records.record_visits(connection, rows, now)
            self._record(connection, call, batch, batch_id, Counter(s for s, _, _ in rows))
            outcomes = self._refuse(
                connection, call, batch, list(zip(subjects, outcomes, strict=True))
            )
        return storing_pb2.RecordVisitsResponse(
            outcomes=[
                storing_pb2.VisitOutcome(problem=problem_of(outcome))
                if outcome
                else storing_pb2.VisitOutcome(recorded=storing_pb2.RecordedVisit(visit_id=visit_id))
                for outcome, visit_id in zip(outcomes, ids, strict=True)
            ]
        )

    def _sealed(
        self, batch: _Batch, subject: Subject, visit_id: str, visit: Visit
    ) -> dict[str, bytes] | Refused:
        decision = decide_case(_RECORD, batch.cases[subject], batch.now)
        if isinstance(decision, Denial):
            return Refused(decision.reason, decision.clause)
        if subject not in batch.opened:
            batch.opened[subject] = self._opened(batch, subject)
        key = batch.opened[subject]
        if isinstance(key, Refused):
            return key
        try:
            return seal_visit(key, *subject, visit_id, visit)
        except VersionLimitReached:
            return Refused("DATA_LOSS", "")

    def _opened(self, batch: _Batch, subject: Subject) -> SecretKey | Refused:
        stored = batch.keys.get(subject)
        if stored is None:
            return Refused("DATA_LOSS", "")
        try:
            return self._keys.open(*subject, stored)
        except (CiphertextMisplaced, KeyMoved):
            return Refused("DATA_LOSS", "")
        except KeyProviderError:
            return Refused("KEY_UNAVAILABLE", "")

    def _record(
        self,
        connection: Connection,
        call: Call,
        batch: _Batch,
        batch_id: str,
        counts: Mapping[Subject, int],
    ) -> None:
        entries = [
            self._entry(
                call,
                batch,
                subject,
                clause="3.3",
                refs={"batch_id": batch_id},
                more={"visits": count},
            )
            for subject, count in counts.items()
        ]
        evidence.append_all(connection, entries, batch.now)

    def _refuse(
        self,
        connection: Connection,
        call: Call,
        batch: _Batch,
        outcomes: Sequence[tuple[Subject, Refused | None]],
    ) -> list[Refused | None]:
        """Record the refusals; those past the budget are told so."""
        noted = {
            (subject, outcome): self._entry(call, batch, subject, refused=outcome)
            for subject, outcome in outcomes
            if outcome is not None and outcome.reason != "KEY_UNAVAILABLE"
        }
        recorded = self._refusals.record_all(connection, list(noted.values()), batch.now)
        exhausted = {
            place for place, entry_id in zip(noted, recorded, strict=True) if entry_id is None
        }
        over = Refused("BUDGET_EXHAUSTED", "")
        return [
            over if outcome is not None and (subject, outcome) in exhausted else outcome
            for subject, outcome in outcomes
        ]

    def _entry(
        self,
        call: Call,
        batch: _Batch,
        subject: Subject,
        *,
        clause: str = "",
        refused: Refused | None = None,
        refs: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> Entry:
        key, case = batch.keys.get(subject), batch.cases[subject]
        return Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.REFUSED if refused else evidence.DONE,
            site_id=subject[0],
            principal=call.principal.name,
            role=call.role,
            subject=key.pseudonym if key else "",
            clause=refused.clause if refused else clause,
            reason=refused.reason if refused else "",
            refs=refs or {},
            decided_on=decided_on(case, schedule_of(case).in_force(batch.now)) | dict(more or {}),
        )

    def store_purchase(self, call: Call) -> storing_pb2.StorePurchaseResponse:
        """The lines of an order, once."""
        request = call.request
        assert isinstance(request, storing_pb2.StorePurchaseRequest)
        now, order_id = self._clock.now(), request.purchase.order_id
        try:
            lines = [
                normalize_line(f"purchase.lines[{n}]", line_from(line))
                for n, line in enumerate(request.purchase.lines)
            ]
        except FieldInvalid as wrong:
            raise _invalid(wrong, "") from None
        subject = (call.principal.site_id, request.subject_id)
        with self._database.transaction() as connection, told_apart("purchase"):
            store.lock_exclusive(connection, *subject)
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            cases, keys = store.cases(connection, [subject]), self._keys.owner_keys([subject])
            batch, act = _Batch(cases, keys, {}, now), new_uuid()
            decision = decide_case(Question(Operation.STORE_PURCHASE), cases[subject], now)
            if isinstance(decision, Denial):
                raise refusal_of(decision.reason, decision.clause)
            stood = store_records.has_lines(connection, subject, order_id)
            if self._idempotency.begin(connection, call, act, now) == act:
                if stood is not None:
                    raise AlreadyExists("3.4")
                if subject not in keys:
                    raise CiphertextMisplaced
                key = self._keys.open(*subject, keys[subject])
                sealed = [
                    seal_line(key, *subject, order_id, n, line) for n, line in enumerate(lines, 1)
                ]
                store_records.store_lines(connection, subject, order_id, sealed, now)
                refs, more = {"order_id": order_id}, {"lines": len(lines)}
                entry = self._entry(
                    call, batch, subject, clause=decision.clause, refs=refs, more=more
                )
                evidence.append(connection, entry, now)
        response = storing_pb2.StorePurchaseResponse()
        response.store_time.FromDatetime(stood or now)
        return response


def _visits(request: storing_pb2.RecordVisitsRequest, now: datetime) -> list[Visit]:
    visits, faults = [], []
    for number, item in enumerate(request.items):
        try:
            visits.append(normalize_visit(visit_from(item.visit), access_time(item.visit), now))
        except DataInvalid as invalid:
            prefix = f"items[{number}].visit."
            faults += [
                FieldViolation(prefix + v.field, str(v.rule), v.description)
                for v in invalid.violations
            ]
    if faults:
        raise InvalidArgument(fields=faults)
    return visits


def _lock(connection: Connection, subjects: Sequence[Subject]) -> None:
    taken = store.try_lock_shared(connection, subjects)
    for subject, locked in zip(subjects, taken, strict=True):
        if not locked:
            store.lock_shared(connection, *subject)


def _invalid(wrong: FieldInvalid, prefix: str) -> InvalidArgument:
    field = FieldViolation(prefix + wrong.field, str(wrong.rule), wrong.description)
    return InvalidArgument(fields=[field])
