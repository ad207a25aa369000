# SPDX-License-Identifier: Apache-2.0
"""The technical data of a use, brought by the consent service (clauses 2.1, 3.3, law.md 4.5)."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import DecodeError

from qupia.vault.v1 import uses_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    SubjectDestroyed,
    VaultNotReady,
    refusal_of,
)
from services.chassis.sealing import DocumentPlace, SealedFormatUnknown
from services.vault import store, store_records
from services.vault.decide import Denial, Operation, Question
from services.vault.envelope import CiphertextMisplaced
from services.vault.gate import decide_case
from services.vault.servicer import told_apart
from services.vault.store import Case
from services.vault.store_keys import KeyStore
from services.vault.unsealing import open_private_key, open_sealed
from services.vault.visits import seal_visit, usable_visit
from services.vault.wire_case import decided_on, schedule_of
from services.vault.wire_records import access_time, visit_from

KIND = "USE"
"""What a use is called in the place it is sealed for."""


class UseServicer:
    """VaultUseService of the contract."""

    def __init__(self, database: Database, keys: KeyStore, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"PutUse": self.put_use}

    def put_use(self, call: Call) -> uses_pb2.PutUseResponse:
        """Keep it once, as the visit of its event; refused like any other new datum (6.2.3)."""
        request = call.request
        assert isinstance(request, uses_pb2.PutUseRequest)
        subject, visit_id = (request.site_id, request.subject_id), request.event_id
        now = self._clock.now()
        with self._database.transaction() as connection, told_apart("use"):
            store.lock_exclusive(connection, *subject)
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            if not store_records.known_visits(connection, subject[0], [(subject[1], visit_id)]):
                case = store.cases(connection, [subject])[subject]
                decision = decide_case(Question(Operation.RECORD_VISIT), case, now)
                if isinstance(decision, Denial):
                    raise refusal_of(decision.reason, decision.clause)
                self._keep(connection, request, now)
                self._record(connection, call, case, now)
        response = uses_pb2.PutUseResponse()
        response.store_time.FromDatetime(now)
        return response

    def _keep(self, connection: Connection, request: uses_pb2.PutUseRequest, now: datetime) -> None:
        subject, visit_id = (request.site_id, request.subject_id), request.event_id
        record = self._unsealed(request)
        stored = self._keys.owner_key(*subject)
        if stored is None:
            raise SubjectDestroyed
        key = self._keys.open(*subject, stored)
        visit = usable_visit(visit_from(record.visit), access_time(record.visit) or now)
        sealed = seal_visit(key, *subject, visit_id, visit, record.salt)
        store_records.record_visits(connection, [(subject, visit_id, sealed)], now)

    def _unsealed(self, request: uses_pb2.PutUseRequest) -> uses_pb2.UseRecord:
        pair = self._keys.sealing_pair(request.sealing_key_id)
        if pair is None:
            raise _not_sealed("sealingKeyId")
        place = DocumentPlace(request.site_id, request.event_id, request.event_id, KIND)
        private = open_private_key(self._keys.keyring, pair)
        try:
            return uses_pb2.UseRecord.FromString(open_sealed(private, place, request.sealed))
        except (SealedFormatUnknown, CiphertextMisplaced, DecodeError):
            raise _not_sealed("sealed") from None

    def _record(self, connection: Connection, call: Call, case: Case, now: datetime) -> None:
        request = call.request
        assert isinstance(request, uses_pb2.PutUseRequest)
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.DONE,
            site_id=request.site_id,
            principal=call.principal.name,
            subject=self._keys.pseudonym(request.site_id, request.subject_id),
            clause="3.3",
            refs={"event_id": request.event_id},
            decided_on=decided_on(case, schedule_of(case).in_force(now)),
        )
        evidence.append(connection, entry, now)


def _not_sealed(field: str) -> InvalidArgument:
    return InvalidArgument(
        fields=[FieldViolation(field, "sealed", "was not sealed to this vault for this place")]
    )
