# SPDX-License-Identifier: Apache-2.0
"""Storing data of one subject: a merge patch as a new version (clauses 3.2, 6.1.2)."""

from __future__ import annotations

from datetime import datetime

from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    VaultNotReady,
    VersionMismatch,
    refusal_of,
)
from services.vault import store, wire
from services.vault.decide import Denial, Operation, Question, decide
from services.vault.fields import AnyField
from services.vault.personal_data import DataChange, normalize_data
from services.vault.servicer import supplier_of, told_apart, violations
from services.vault.site_fields import SiteFields, SiteLists
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore
from services.vault.violation import DataInvalid
from services.vault.wire_case import decided_on, life_of, schedule_of, standing_of
from services.vault.writer import UNNAMED_FORM, Provenance, Writer


class StoringServicer:
    """StoreData of the contract."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        keys: KeyStore,
        idempotency: IdempotencyKeys,
        lists: SiteLists,
        clock: Clock,
    ) -> None:
        self._database = database
        self._lists = lists
        self._writer = writer
        self._keys = keys
        self._idempotency = idempotency
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"StoreData": self.store_data}

    def store_data(self, call: Call) -> vault_pb2.StoreDataResponse:
        """A merge patch, as one new version."""
        request = call.request
        assert isinstance(request, vault_pb2.StoreDataRequest)
        subject = (call.principal.site_id, request.subject_id)
        change = _change(request, self._lists.of(subject[0]))
        supplier, form = supplier_of(request.supplier), request.form or UNNAMED_FORM
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
                    connection,
                    subject,
                    version,
                    change,
                    Provenance(supplier, form),
                    now,
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
        self, call: Call, case: Case, subject: Subject, changed: frozenset[AnyField], version: int
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


def _change(request: vault_pb2.StoreDataRequest, listed: SiteFields) -> DataChange:
    change = wire.change_from(request.data, request.update_mask)
    if not change:
        raise InvalidArgument(
            fields=[FieldViolation("data", "required", "has to name at least one datum")]
        )
    try:
        return normalize_data(change, listed)
    except DataInvalid as invalid:
        raise violations(invalid, "data") from None


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
