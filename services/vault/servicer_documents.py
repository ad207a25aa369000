# SPDX-License-Identifier: Apache-2.0
"""Sealed documents and staged corrections, as claims and disclosure bring them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from qupia.vault.v1 import documents_pb2, vault_pb2
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
from services.vault import store, store_documents, store_slices, wire
from services.vault.correction import Corrections
from services.vault.decide import Life
from services.vault.envelope import CiphertextMisplaced, Place, decrypt, encrypt
from services.vault.plaintext import SCHEMA
from services.vault.secret_key import SecretKey
from services.vault.servicer import told_apart
from services.vault.store import Subject
from services.vault.store_documents import DocumentRow
from services.vault.store_keys import KeyStore
from services.vault.unsealing import open_private_key, open_sealed
from services.vault.wire_case import life_of

_FILES = frozenset({vault_pb2.Document.ANSWER_LETTER, vault_pb2.Document.ATTACHMENT})


class DocumentServicer:
    """VaultDocumentService and VaultDocumentsService of the contract, and StageCorrection."""

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
            "PutDocuments": self.put_documents,
            "GetDocument": self.get_document,
            "StageCorrection": self.stage_correction,
        }

    def put_document(self, call: Call) -> vault_pb2.PutDocumentResponse:
        """Open what was sealed to the vault, and keep it under its owner's key."""
        request = call.request
        assert isinstance(request, vault_pb2.PutDocumentRequest)
        response = vault_pb2.PutDocumentResponse()
        response.store_time.FromDatetime(self._put(call, {"": request}))
        return response

    def put_documents(self, call: Call) -> documents_pb2.PutDocumentsResponse:
        """The same for several, of one owner or of many: all of them, or none."""
        request = call.request
        assert isinstance(request, documents_pb2.PutDocumentsRequest)
        named = {f"documents[{n}].": each for n, each in enumerate(request.documents)}
        faults = _faults(named)
        if faults:
            raise InvalidArgument(fields=faults)
        response = documents_pb2.PutDocumentsResponse()
        response.store_time.FromDatetime(self._put(call, named))
        return response

    def _put(self, call: Call, named: Mapping[str, vault_pb2.PutDocumentRequest]) -> datetime:
        """Keep documents, by the prefix of their fields' paths; when it was."""
        now = self._clock.now()
        places = [request.place for request in named.values()]
        owners = sorted({(place.site_id, place.owner_id) for place in places})
        with self._database.transaction() as connection, told_apart("document"):
            store.lock_all_shared(connection, owners)
            if Life.DESTROYED in store_slices.known_subjects(connection, owners).values():
                raise SubjectDestroyed
            plain = self._unsealed(named)
            keys = self._keys.ensure_owner_keys(owners)
            opened = {owner: self._keys.open(*owner, key) for owner, key in keys.items()}
            rows = [
                _row(opened[place.site_id, place.owner_id], place, plain[prefix])
                for prefix, place in zip(named, places, strict=True)
            ]
            stored = store_documents.put_documents(connection, rows, now)
            stood = [
                (place, plain[prefix])
                for prefix, place in zip(named, places, strict=True)
                if (place.site_id, place.document_id) not in stored
            ]
            _assert_same(connection, opened, stood)
            entries = [
                _entry(call, place, keys[place.site_id, place.owner_id].pseudonym, {})
                for place in places
                if (place.site_id, place.document_id) in stored
            ]
            evidence.append_all(connection, entries, now)
        return now

    def _unsealed(self, named: Mapping[str, vault_pb2.PutDocumentRequest]) -> dict[str, bytes]:
        """What was sealed, by the same names. Raises InvalidArgument."""
        keys: dict[str, SecretKey] = {}
        plain = {}
        for prefix, request in named.items():
            key_id, place = request.sealing_key_id, request.place
            if key_id not in keys:
                pair = self._keys.sealing_pair(key_id)
                if pair is None:
                    raise _not_sealed(f"{prefix}sealingKeyId")
                keys[key_id] = open_private_key(self._keys.keyring, pair)
            kind = vault_pb2.Document.Kind.Name(place.kind)
            sealed_place = DocumentPlace(place.site_id, place.bound_to, place.document_id, kind)
            try:
                plain[prefix] = open_sealed(keys[key_id], sealed_place, request.sealed)
            except (SealedFormatUnknown, CiphertextMisplaced):
                raise _not_sealed(f"{prefix}sealed") from None
        return plain

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
            entry = _entry(call, place, stored.pseudonym, {"reader": request.reader})
            evidence.append(connection, entry, self._clock.now())
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


def _entry(
    call: Call, place: vault_pb2.DocumentPlace, pseudonym: str, refs: Mapping[str, str]
) -> Entry:
    kind = vault_pb2.Document.Kind.Name(place.kind)
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=evidence.DONE,
        site_id=place.site_id,
        principal=call.principal.name,
        subject=pseudonym,
        clause=call.method.clauses[0],
        refs={
            "document_id": place.document_id,
            "kind": kind,
            "bound_to": place.bound_to,
            **refs,
        },
    )


def _faults(named: Mapping[str, vault_pb2.PutDocumentRequest]) -> list[FieldViolation]:
    seen, faults = set(), []
    for prefix, request in named.items():
        document = (request.place.site_id, request.place.document_id)
        if document in seen:
            text = "is named twice"
            faults.append(FieldViolation(f"{prefix}place.documentId", "repeated", text))
        seen.add(document)
    return faults


def _row(key: SecretKey, place: vault_pb2.DocumentPlace, plaintext: bytes) -> DocumentRow:
    return DocumentRow(
        place.site_id,
        place.document_id,
        place.owner_id,
        place.bound_to,
        vault_pb2.Document.Kind.Name(place.kind),
        encrypt(key, _row_place(place), plaintext),
    )


def _assert_same(
    connection: Connection,
    keys: Mapping[Subject, SecretKey],
    given: Sequence[tuple[vault_pb2.DocumentPlace, bytes]],
) -> None:
    """Raises AlreadyExists where the id of one of these stands for another document."""
    if not given:
        return
    ids = [(place.site_id, place.document_id) for place, _ in given]
    rows = store_documents.read_documents(connection, ids)
    for place, plaintext in given:
        kind = vault_pb2.Document.Kind.Name(place.kind)
        row = rows.get((place.site_id, place.document_id))
        there = (row.owner, row.bound_to, row.kind) if row else None
        if row is None or there != (place.owner_id, place.bound_to, kind):
            raise AlreadyExists
        key = keys[place.site_id, place.owner_id]
        if decrypt(key, _row_place(place), row.ciphertext) != plaintext:
            raise AlreadyExists


def _row_place(place: vault_pb2.DocumentPlace) -> Place:
    return Place(SCHEMA, place.site_id, place.owner_id, f"document/{place.document_id}", 1)


def _not_sealed(field: str) -> InvalidArgument:
    return InvalidArgument(
        fields=[FieldViolation(field, "sealed", "was not sealed to this vault for this place")]
    )
