# SPDX-License-Identifier: Apache-2.0
"""Sealed documents and staged corrections, as claims and disclosure bring them."""

from __future__ import annotations

from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    AlreadyExists,
    FieldViolation,
    InvalidArgument,
    NotFound,
    SubjectDestroyed,
)
from services.chassis.sealing import DocumentPlace, SealedFormatUnknown
from services.vault import store, store_documents, wire
from services.vault.correction import Corrections
from services.vault.decide import Life
from services.vault.envelope import CiphertextMisplaced, Place, decrypt, encrypt
from services.vault.plaintext import SCHEMA
from services.vault.secret_key import SecretKey
from services.vault.servicer import told_apart
from services.vault.store_documents import DocumentRow
from services.vault.store_keys import KeyStore
from services.vault.unsealing import open_private_key, open_sealed
from services.vault.wire_case import life_of

_FILES = frozenset({vault_pb2.Document.ANSWER_LETTER, vault_pb2.Document.ATTACHMENT})


class DocumentServicer:
    """VaultDocumentService of the contract, and StageCorrection."""

    def __init__(
        self, database: Database, keys: KeyStore, corrections: Corrections, clock: Clock
    ) -> None:
        self._database = database
        self._keys = keys
        self._corrections = corrections
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "PutDocument": self.put_document,
            "GetDocument": self.get_document,
            "StageCorrection": self.stage_correction,
        }

    def put_document(self, call: Call) -> vault_pb2.PutDocumentResponse:
        """Open what was sealed to the vault, and keep it under its owner's key."""
        request = call.request
        assert isinstance(request, vault_pb2.PutDocumentRequest)
        place = request.place
        now = self._clock.now()
        with self._database.transaction() as connection, told_apart("document"):
            store.lock_exclusive(connection, place.site_id, place.owner_id)
            self._living(connection, place.site_id, place.owner_id)
            plaintext = self._unsealed(request)
            key = self._keys.ensure_owner_key(place.site_id, place.owner_id)
            opened = self._keys.open(place.site_id, place.owner_id, key)
            row = DocumentRow(
                place.site_id,
                place.document_id,
                place.owner_id,
                place.bound_to,
                vault_pb2.Document.Kind.Name(place.kind),
                encrypt(opened, _row_place(place), plaintext),
            )
            if store_documents.put_document(connection, row, now):
                self._record(connection, call, place, {})
            else:
                _assert_same(connection, opened, place, plaintext)
        response = vault_pb2.PutDocumentResponse()
        response.store_time.FromDatetime(now)
        return response

    def _living(self, connection: Connection, site: str, owner: str) -> None:
        case = store.cases(connection, [(site, owner)])[(site, owner)]
        if life_of(case) is Life.DESTROYED:
            raise SubjectDestroyed

    def _unsealed(self, request: vault_pb2.PutDocumentRequest) -> bytes:
        place = request.place
        pair = self._keys.sealing_pair(request.sealing_key_id)
        if pair is None:
            raise _not_sealed("sealingKeyId")
        sealed_place = DocumentPlace(
            place.site_id,
            place.bound_to,
            place.document_id,
            vault_pb2.Document.Kind.Name(place.kind),
        )
        private = open_private_key(self._keys.keyring, pair)
        try:
            return open_sealed(private, sealed_place, request.sealed)
        except (SealedFormatUnknown, CiphertextMisplaced):
            raise _not_sealed("sealed") from None

    def get_document(self, call: Call) -> vault_pb2.GetDocumentResponse:
        """Open a document for a named reader."""
        request = call.request
        assert isinstance(request, vault_pb2.GetDocumentRequest)
        place = request.place
        with self._database.transaction() as connection, told_apart("document"):
            store.lock_shared(connection, place.site_id, place.owner_id)
            row = store_documents.read_document(connection, place.site_id, place.document_id)
            if row is None or (row.owner, row.bound_to) != (place.owner_id, place.bound_to):
                raise NotFound
            stored = self._keys.owner_key(row.site, row.owner)
            if stored is None:
                raise SubjectDestroyed
            key = self._keys.open(row.site, row.owner, stored)
            plaintext = decrypt(key, _row_place(place), row.ciphertext)
            self._record(connection, call, place, {"reader": request.reader})
        if place.kind in _FILES:
            return vault_pb2.GetDocumentResponse(content=plaintext)
        return vault_pb2.GetDocumentResponse(text=plaintext.decode())

    def stage_correction(self, call: Call) -> vault_pb2.StageCorrectionResponse:
        """Check a correction and keep it sealed until its outcome."""
        request = call.request
        assert isinstance(request, vault_pb2.StageCorrectionRequest)
        subject = (request.site_id, request.subject_id)
        now = self._clock.now()
        with self._database.transaction() as connection, told_apart("data"):
            store.lock_exclusive(connection, *subject)
            case = store.cases(connection, [subject])[subject]
            if life_of(case) is Life.UNKNOWN:
                raise NotFound
            if life_of(case) is Life.DESTROYED:
                raise SubjectDestroyed
            change = wire.change_from(request.data, request.update_mask)
            self._corrections.stage(
                connection, subject, request.claim_id, request.correction_id, change, now
            )
            entry = Entry(
                event=call.method.evidence,
                verb=call.method.verb,
                outcome=evidence.DONE,
                site_id=request.site_id,
                principal=call.principal.name,
                subject=self._keys.pseudonym(*subject),
                clause="6.2.3",
                refs={"claim_id": request.claim_id, "correction_id": request.correction_id},
            )
            evidence.append(connection, entry, now)
        return vault_pb2.StageCorrectionResponse()

    def _record(
        self,
        connection: Connection,
        call: Call,
        place: vault_pb2.DocumentPlace,
        refs: dict[str, str],
    ) -> None:
        kind = vault_pb2.Document.Kind.Name(place.kind)
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.DONE,
            site_id=place.site_id,
            principal=call.principal.name,
            subject=self._keys.pseudonym(place.site_id, place.owner_id),
            clause=call.method.clauses[0],
            refs={"document_id": place.document_id, "kind": kind, "bound_to": place.bound_to}
            | refs,
        )
        evidence.append(connection, entry, self._clock.now())


def _assert_same(
    connection: Connection, key: SecretKey, place: vault_pb2.DocumentPlace, plaintext: bytes
) -> None:
    """Raises AlreadyExists where the id stands for another document."""
    kind = vault_pb2.Document.Kind.Name(place.kind)
    row = store_documents.read_document(connection, place.site_id, place.document_id)
    there = (row.owner, row.bound_to, row.kind) if row else None
    if row is None or there != (place.owner_id, place.bound_to, kind):
        raise AlreadyExists
    if decrypt(key, _row_place(place), row.ciphertext) != plaintext:
        raise AlreadyExists


def _row_place(place: vault_pb2.DocumentPlace) -> Place:
    return Place(SCHEMA, place.site_id, place.owner_id, f"document/{place.document_id}", 1)


def _not_sealed(field: str) -> InvalidArgument:
    return InvalidArgument(
        fields=[FieldViolation(field, "sealed", "was not sealed to this vault for this place")]
    )
