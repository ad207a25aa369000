# SPDX-License-Identifier: Apache-2.0
"""Storing data of many subjects: group commit, an outcome for each (clauses 3.2, 6.1.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from qupia.vault.v1 import storing_pb2, vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
    VaultNotReady,
)
from services.chassis.side_by_side import SideBySide
from services.vault import store, store_batches, wire
from services.vault.batch_writer import BatchWriter, Written
from services.vault.decide import Denial, Operation, Question
from services.vault.gate import Refused, decide_case
from services.vault.personal_data import DataChange, normalize_data
from services.vault.provider import KeyProviderError
from services.vault.servicer import problem_of, supplier_of
from services.vault.site_fields import SiteFields, SiteLists
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore, OwnerKey
from services.vault.violation import DataInvalid
from services.vault.wire_case import decided_on, schedule_of
from services.vault.writer import UNNAMED_FORM, Provenance

# So many subjects are held at once: a block of one of them waits for no more.
_TOGETHER = 100
_QUESTION = Question(Operation.STORE)
_Stands = tuple[int, datetime]
_Outcome = _Stands | Refused


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is to be stored by one call."""

    call: Call
    batch_id: str
    changes: Mapping[str, DataChange]
    provenance: Provenance


class BatchServicer:
    """BatchStoreData of the contract."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        writer: BatchWriter,
        idempotency: IdempotencyKeys,
        refusals: RefusalLog,
        lists: SiteLists,
        clock: Clock,
    ) -> None:
        self._database = database
        self._lists = lists
        self._keys = keys
        self._writer = writer
        self._idempotency = idempotency
        self._refusals = refusals
        self._clock = clock
        self._side_by_side = SideBySide()

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"BatchStoreData": self.batch_store_data}

    def batch_store_data(self, call: Call) -> storing_pb2.BatchStoreDataResponse:
        """Up to 1,000 merge patches; whoever is locked is stored alone, after the others."""
        request = call.request
        assert isinstance(request, storing_pb2.BatchStoreDataRequest)
        changes = _changes(request, self._lists.of(call.principal.site_id))
        supplier = supplier_of(request.supplier)
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            batch_id = self._idempotency.begin(connection, call, new_uuid(), self._clock.now())
        batch = _Batch(call, batch_id, changes, Provenance(supplier, request.form or UNNAMED_FORM))
        outcomes: dict[str, _Outcome] = {}
        subjects = list(changes)
        parts = [subjects[n : n + _TOGETHER] for n in range(0, len(subjects), _TOGETHER)]
        for stood in self._side_by_side.each(lambda part: self._store(batch, part), parts):
            outcomes |= stood
        for subject in [each for each in subjects if each not in outcomes]:
            outcomes |= self._store(batch, [subject], alone=True)
        call.recorded = True
        return storing_pb2.BatchStoreDataResponse(
            outcomes=[_message(outcomes[s]) for s in subjects]
        )

    def _store(
        self, batch: _Batch, subjects: Sequence[str], *, alone: bool = False
    ) -> dict[str, _Outcome]:
        """Store some of a batch in one transaction; those that are locked are left out."""
        batch.call.check_deadline()
        site = batch.call.principal.site_id
        with self._database.transaction() as connection:
            if alone:
                store.lock_exclusive(connection, site, subjects[0])
                free = list(subjects)
            else:
                locked = store.try_lock_exclusive(connection, [(site, s) for s in subjects])
                free = [s for s in subjects if (site, s) in locked]
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            stood = store_batches.remembered(connection, site, batch.batch_id, free)
            asked = [(site, subject) for subject in free if subject not in stood]
            return stood | self._store_locked(connection, batch, asked)

    def _store_locked(
        self, connection: Connection, batch: _Batch, asked: Sequence[Subject]
    ) -> dict[str, _Outcome]:
        cases, keys = store.cases(connection, asked), self._keys.owner_keys(asked)
        now = self._clock.now()
        refused: dict[str, Refused] = {}
        permitted = {}
        for place in asked:
            decision = decide_case(_QUESTION, cases[place], now)
            if isinstance(decision, Denial):
                refused[place[1]] = Refused(decision.reason, decision.clause)
            else:
                permitted[place[1]] = batch.changes[place[1]]
        site = batch.call.principal.site_id
        try:
            written = self._writer.write(
                connection, site, permitted, cases, keys, batch.provenance, now
            )
        except KeyProviderError:
            raise KeyUnavailable from None
        done = {s: w for s, w in written.items() if isinstance(w, Written)}
        refused |= {s: w for s, w in written.items() if isinstance(w, Refused)}
        entries = [
            _entry(batch.call, cases[site, s], keys.get((site, s)), site, now, written=w)
            for s, w in done.items()
        ]
        evidence.append_all(connection, entries, now)
        versions = [(subject, w.version) for subject, w in done.items()]
        store_batches.remember(connection, site, batch.batch_id, versions, now)
        noted = {
            s: _entry(batch.call, cases[site, s], keys.get((site, s)), site, now, refused=r)
            for s, r in refused.items()
            if r.reason not in ("KEY_UNAVAILABLE", "INVALID_ARGUMENT")
        }
        over = self._refuse(connection, noted, now)
        return {s: (w.version, now) for s, w in done.items()} | refused | over

    def _refuse(
        self, connection: Connection, noted: Mapping[str, Entry], now: datetime
    ) -> dict[str, Refused]:
        """Record refusals; those past the budget are told so."""
        recorded = self._refusals.record_all(connection, list(noted.values()), now)
        return {
            subject: Refused("BUDGET_EXHAUSTED", "")
            for subject, entry_id in zip(noted, recorded, strict=True)
            if entry_id is None
        }


def _entry(
    call: Call,
    case: Case,
    key: OwnerKey | None,
    site: str,
    now: datetime,
    *,
    written: Written | None = None,
    refused: Refused | None = None,
) -> Entry:
    first = not case.data_version
    told = decided_on(case, schedule_of(case).in_force(now))
    if written is not None:
        told |= {"fields": sorted(written.changed), "dataVersion": written.version}
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb if first else "CLARIFY",
        outcome=evidence.REFUSED if refused else evidence.DONE,
        site_id=site,
        principal=call.principal.name,
        role=call.role,
        subject=key.pseudonym if key else "",
        clause=refused.clause if refused else ("3.2" if first else "6.1.2"),
        reason=refused.reason if refused else "",
        decided_on=told,
    )


def _changes(
    request: storing_pb2.BatchStoreDataRequest, listed: SiteFields
) -> dict[str, DataChange]:
    """The merge patches by subject. Raises InvalidArgument naming every item and field."""
    changes: dict[str, DataChange] = {}
    faults = []
    for number, item in enumerate(request.items):
        place = f"items[{number}]"
        change = wire.change_from(item.data, FieldMask())
        if not change:
            text = "has to name at least one datum"
            faults.append(FieldViolation(f"{place}.data", "required", text))
        if item.subject_id in changes:
            text = "stands in the batch already"
            faults.append(FieldViolation(f"{place}.subjectId", "unique", text))
        try:
            changes[item.subject_id] = normalize_data(change, listed)
        except DataInvalid as invalid:
            faults += [
                FieldViolation(f"{place}.data.{v.field}", str(v.rule), v.description)
                for v in invalid.violations
            ]
    if faults:
        raise InvalidArgument(fields=faults)
    return changes


def _message(outcome: _Outcome) -> storing_pb2.StoreOutcome:
    if isinstance(outcome, Refused):
        return storing_pb2.StoreOutcome(problem=problem_of(outcome))
    version, time = outcome
    stored = vault_pb2.StoreDataResponse(version=version, store_time=wire.stamp_of(time))
    return storing_pb2.StoreOutcome(stored=stored)
