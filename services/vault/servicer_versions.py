# SPDX-License-Identifier: Apache-2.0
"""ListDataVersions: where data came from, and to audit what they were (clauses 6.1.2, 7.3)."""

from __future__ import annotations

from collections.abc import Sequence

from qupia.vault.v1 import vault_pb2, versions_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.chassis.recorder import references
from services.chassis.refusal import NotFound, PermissionDenied, VaultNotReady, refusal_of
from services.vault import store, store_versions, wire
from services.vault.decide import Denial, Life, Operation, Question
from services.vault.envelope import CiphertextMisplaced, Place, decrypt
from services.vault.gate import decide_case
from services.vault.plaintext import SCHEMA, parse
from services.vault.secret_key import SecretKey
from services.vault.servicer import told_apart
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore
from services.vault.store_versions import FIRST, VersionRow
from services.vault.wire_case import decided_on, life_of, schedule_of

_PAGE, _MOST = 100, 1000
_AUDITOR, _VERIFICATION = "AUDITOR", "VERIFICATION"


class VersionServicer:
    """VaultVersionService of the contract."""

    def __init__(
        self, database: Database, keys: KeyStore, tokens: PageTokens, clock: Clock
    ) -> None:
        self._database = database
        self._keys = keys
        self._tokens = tokens
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"ListDataVersions": self.list_data_versions}

    def list_data_versions(self, call: Call) -> versions_pb2.ListDataVersionsResponse:
        """The versions of a person's data; their values where an auditor may have them."""
        request = call.request
        assert isinstance(request, versions_pb2.ListDataVersionsRequest)
        if not call.principal.is_person or (request.with_values and call.role != _AUDITOR):
            raise PermissionDenied("6.1.2")
        subject = (call.principal.site_id, request.subject_id)
        size = page_size(request.page_size, _PAGE, _MOST)
        scope = "|".join(("data-versions", *subject))
        version, name = self._tokens.open(scope, request.page_token) or FIRST
        with self._database.transaction() as connection:
            store.lock_shared(connection, *subject)
            case = self._permitted(connection, subject, request)
            after = (int(version), str(name))
            rows = store_versions.read_versions(connection, subject, after, size + 1)
            with told_apart("data"):
                versions = self._messages(subject, case, rows[:size], request.with_values)
            self._record(connection, call, subject, case, rows[:size], request.with_values)
        last = rows[size - 1] if len(rows) > size else None
        token = self._tokens.make(scope, [last.version, str(last.field)]) if last else ""
        return versions_pb2.ListDataVersionsResponse(versions=versions, next_page_token=token)

    def _permitted(
        self,
        connection: Connection,
        subject: Subject,
        request: versions_pb2.ListDataVersionsRequest,
    ) -> Case:
        if not store.ready(connection):
            raise VaultNotReady(retry_after=1)
        case = store.cases(connection, [subject])[subject]
        if request.with_values:
            question = Question(Operation.AUDIT_VERSIONS, reference=request.reference)
            decision = decide_case(question, case, self._clock.now())
            if isinstance(decision, Denial):
                raise refusal_of(decision.reason, decision.clause)
        elif life_of(case) is Life.UNKNOWN:
            raise NotFound
        return case

    def _messages(
        self, subject: Subject, case: Case, rows: Sequence[VersionRow], values: bool
    ) -> list[versions_pb2.DataVersion]:
        key = None
        if values and rows:
            stored = self._keys.owner_key(*subject)
            if stored is None:
                raise CiphertextMisplaced
            key = self._keys.open(*subject, stored)
        return [_message(subject, case, row, key) for row in rows]

    def _record(
        self,
        connection: Connection,
        call: Call,
        subject: Subject,
        case: Case,
        rows: Sequence[VersionRow],
        values: bool,
    ) -> None:
        now = self._clock.now()
        told = {"fields": sorted({str(row.field) for row in rows})} if values else {}
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.PERMITTED,
            site_id=subject[0],
            principal=call.principal.name,
            role=call.role,
            subject=self._keys.pseudonym(*subject),
            clause="6.1.2",
            refs=references(call.request),
            decided_on=decided_on(case, schedule_of(case).in_force(now))
            | {"versions": len(rows), "values": values, **told},
        )
        evidence.append(connection, entry, now)


def _message(
    subject: Subject, case: Case, row: VersionRow, key: SecretKey | None
) -> versions_pb2.DataVersion:
    states = versions_pb2.DataVersion
    verified = row.supplier == _VERIFICATION
    message = states(
        field=str(row.field),
        version=row.version,
        end_version=row.end_version,
        supplier=vault_pb2.Supplier.Kind.Value(row.supplier),
        form=row.form,
        store_time=wire.stamp_of(row.store_time),
        end_time=wire.stamp_of(row.end_time),
        verification=states.VERIFIED if verified else states.UNVERIFIED,
        policy_version=schedule_of(case).in_force(row.store_time) or 0,
    )
    if key is not None:
        place = Place(SCHEMA, *subject, str(row.field), row.version)
        value = parse(row.field, decrypt(key, place, row.ciphertext))
        message.data.CopyFrom(wire.data_to({row.field: value}))
    return message
