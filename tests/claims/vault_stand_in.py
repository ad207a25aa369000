# SPDX-License-Identifier: Apache-2.0
"""A vault for the tests of this package: it takes, refuses or is away, as the test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from google.protobuf.message import Message

from qupia.vault.v1 import blocking_pb2, documents_pb2, pushes_pb2, recovery_pb2, vault_pb2
from services.chassis.contract import load_contract
from services.chassis.decider.pusher import MOST_TOGETHER
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.refusal import InvalidArgument, NotFound, Refusal, Unavailable
from services.chassis.sealing import DocumentPlace, sealed_parts, sealing_key_id, sealing_suite

M = TypeVar("M", bound=Message)

_FILES = (vault_pb2.Document.ANSWER_LETTER, vault_pb2.Document.ATTACHMENT)


@dataclass
class VaultStandIn:
    """Takes what the claims service sends; opens what was sealed to it, as the vault does."""

    up: bool = True
    looks_up: bool = True
    subjects: set[tuple[str, str]] = field(default_factory=set)
    destroyed: set[tuple[str, str]] = field(default_factory=set)
    slices: dict[tuple[str, str], vault_pb2.ClaimsSlice] = field(default_factory=dict)
    counters: dict[tuple[str, str], int] = field(default_factory=dict)
    documents: dict[str, tuple[vault_pb2.DocumentPlace, bytes]] = field(default_factory=dict)
    provisional: list[blocking_pb2.ProvisionalBlock] = field(default_factory=list)
    lost: list[recovery_pb2.LostClaims] = field(default_factory=list)
    carries: dict[tuple[str, str], vault_pb2.ClaimsSlice] = field(default_factory=dict)
    resynced: bool = True
    interims_asked: list[blocking_pb2.ListInterimRequest] = field(default_factory=list)
    staged: list[vault_pb2.StageCorrectionRequest] = field(default_factory=list)
    refuses: dict[str, Refusal] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    # The seconds that the last call of each RPC had.
    waits: dict[str, float] = field(default_factory=dict)
    # What happens before a call is answered.
    meanwhile: Callable[[str], None] = lambda _: None
    incarnation: int = 0
    life: str = field(default_factory=new_uuid)
    _key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def call(
        self, path: str, request: Message, answer: type[M], timeout: float, reference: str = ""
    ) -> M:
        """Answer as the vault would. Raises Refusal."""
        assert timeout > 0
        assert answer is load_contract().methods[path].output_class
        name = load_contract().methods[path].name
        assert len(reference) <= 64
        self.asked.append(name)
        self.waits[name] = timeout
        self.meanwhile(name)
        if not self.up:
            raise Unavailable
        if name in self.refuses:
            raise self.refuses[name]
        return cast(M, self._answers()[name](request))

    def _answers(self) -> dict[str, Callable[[Any], Message]]:
        return {
            "LookUpSubject": self._look_up,
            "ListProvisionalBlocks": self._provisional_blocks,
            "ListInterim": self._interim,
            "ListLostClaims": self._lost_claims,
            "ListDocuments": self._kept_documents,
            "OpenIncarnation": self._open_incarnation,
            "CompleteResync": self._complete_resync,
            "GetSealingKey": self._sealing_key,
            "ApplyClaimsSlice": self._apply_slice,
            "ApplyClaimsSlices": self._apply_slices,
            "StageCorrection": self._stage_correction,
            "PutDocument": self._put_document,
            "PutDocuments": self._put_documents,
            "GetDocument": self._get_document,
        }

    def subject(self, site_id: str = "demo") -> str:
        """A subject that the site has."""
        subject_id = new_subject_id()
        self.subjects.add((site_id, subject_id))
        return subject_id

    def texts(self, claim_id: str) -> dict[str, str]:
        """The opened documents of a claim, by kind."""
        return {
            vault_pb2.Document.Kind.Name(place.kind): content.decode()
            for place, content in self.documents.values()
            if place.bound_to == claim_id and place.kind not in _FILES
        }

    def _look_up(self, request: vault_pb2.LookUpSubjectRequest) -> vault_pb2.LookUpSubjectResponse:
        if not self.looks_up:
            raise Unavailable
        known = [s for s in request.subject_ids if (request.site_id, s) in self.subjects]
        gone = [s for s in known if (request.site_id, s) in self.destroyed]
        return vault_pb2.LookUpSubjectResponse(subject_ids=known, destroyed=gone)

    def _provisional_blocks(
        self, _request: blocking_pb2.ListProvisionalBlocksRequest
    ) -> blocking_pb2.ListProvisionalBlocksResponse:
        unknown = [
            each
            for each in self.provisional
            if not any(
                block.claim_id == each.block.claim_id
                for block in self.slices.get(
                    (each.site_id, each.subject_id), vault_pb2.ClaimsSlice()
                ).blocks
            )
        ]
        return blocking_pb2.ListProvisionalBlocksResponse(blocks=unknown)

    def _lost_claims(
        self, request: recovery_pb2.ListLostClaimsRequest
    ) -> recovery_pb2.ListLostClaimsResponse:
        """One subject to a page; whoever was pushed is lost no more."""
        if not self.resynced or request.incarnation != self.incarnation:
            return recovery_pb2.ListLostClaimsResponse()
        first = int(request.page_token or 0)
        left = [
            (place, each)
            for place, each in enumerate(self.lost[first:], first + 1)
            if (each.site_id, each.subject_id) not in self.slices
        ]
        return recovery_pb2.ListLostClaimsResponse(
            resynced=True,
            lost=[each for _, each in left[:1]],
            next_page_token=str(left[0][0]) if left[1:] else "",
        )

    def _kept_documents(
        self, request: recovery_pb2.ListDocumentsRequest
    ) -> recovery_pb2.ListDocumentsResponse:
        response = recovery_pb2.ListDocumentsResponse()
        for place, _ in self.documents.values():
            if place.bound_to == request.bound_to and place.owner_id in request.owner_ids:
                response.documents.add(place=place)
        return response

    def _interim(
        self, request: blocking_pb2.ListInterimRequest
    ) -> blocking_pb2.ListInterimResponse:
        self.interims_asked.append(request)
        return blocking_pb2.ListInterimResponse()

    def _open_incarnation(
        self, request: vault_pb2.OpenIncarnationRequest
    ) -> vault_pb2.OpenIncarnationResponse:
        self.incarnation = max(self.incarnation, request.known_incarnation) + 1
        return vault_pb2.OpenIncarnationResponse(
            incarnation=self.incarnation, vault_incarnation=self.life
        )

    def _complete_resync(
        self, request: vault_pb2.CompleteResyncRequest
    ) -> vault_pb2.CompleteResyncResponse:
        return vault_pb2.CompleteResyncResponse(
            counts=request.incarnation == self.incarnation,
            vault_incarnation=self.life,
            highest_incarnation=self.incarnation,
        )

    def _sealing_key(
        self, _request: vault_pb2.GetSealingKeyRequest
    ) -> vault_pb2.GetSealingKeyResponse:
        return vault_pb2.GetSealingKeyResponse(
            key_id=new_uuid(), public_key=self._key.public_key().public_bytes_raw()
        )

    def _apply_slice(
        self, request: vault_pb2.ApplyClaimsSliceRequest
    ) -> vault_pb2.ApplyClaimsSliceResponse:
        header = request.header
        receipt = vault_pb2.SliceReceipt(
            verdict=vault_pb2.SliceReceipt.APPLIED,
            current=header.version,
            vault_incarnation=self.life,
            highest_incarnation=self.incarnation,
        )
        if (header.site_id, header.subject_id) not in self.subjects:
            receipt.verdict = vault_pb2.SliceReceipt.UNKNOWN_SUBJECT
            return vault_pb2.ApplyClaimsSliceResponse(receipt=receipt)
        key = (header.site_id, header.subject_id)
        if self.counters.get(key, 0) > header.version.counter:
            receipt.verdict = vault_pb2.SliceReceipt.STALE
            receipt.current.counter = self.counters[key]
            return vault_pb2.ApplyClaimsSliceResponse(receipt=receipt)
        self.slices[key], self.counters[key] = request.slice, header.version.counter
        carried = self.carries.get(key)
        if carried is not None:
            receipt.carried_claims.CopyFrom(carried)
            receipt.carried.extend(block.claim_id for block in carried.blocks)
            receipt.carried.extend(hold.hold_id for hold in carried.holds)
        for block in request.slice.blocks:
            if block.correction_id:
                receipt.corrections.add(correction_id=block.correction_id, version=2)
        return vault_pb2.ApplyClaimsSliceResponse(receipt=receipt)

    def _apply_slices(
        self, request: pushes_pb2.ApplyClaimsSlicesRequest
    ) -> pushes_pb2.ApplyClaimsSlicesResponse:
        assert len(request.pushes) <= MOST_TOGETHER
        return pushes_pb2.ApplyClaimsSlicesResponse(
            receipts=[self._apply_slice(push).receipt for push in request.pushes]
        )

    def _stage_correction(
        self, request: vault_pb2.StageCorrectionRequest
    ) -> vault_pb2.StageCorrectionResponse:
        self.staged.append(request)
        return vault_pb2.StageCorrectionResponse()

    def _put_document(self, request: vault_pb2.PutDocumentRequest) -> vault_pb2.PutDocumentResponse:
        place = request.place
        if place.owner_id != place.bound_to and (place.site_id, place.owner_id) not in (
            self.subjects
        ):
            raise NotFound
        parts = sealed_parts(request.sealed)
        assert parts.key_id == sealing_key_id(self._key.public_key().public_bytes_raw())
        kind = vault_pb2.Document.Kind.Name(place.kind)
        own = DocumentPlace(place.site_id, place.bound_to, place.document_id, kind)
        content = sealing_suite().decrypt(parts.body, self._key, info=own.encode())
        self.documents[place.document_id] = (place, content)
        return vault_pb2.PutDocumentResponse()

    def _put_documents(
        self, request: documents_pb2.PutDocumentsRequest
    ) -> documents_pb2.PutDocumentsResponse:
        if "PutDocument" in self.refuses:
            raise self.refuses["PutDocument"]
        if len({each.place.document_id for each in request.documents}) < len(request.documents):
            raise InvalidArgument
        before = dict(self.documents)
        try:
            for each in request.documents:
                self._put_document(each)
        except Refusal:
            self.documents = before
            raise
        return documents_pb2.PutDocumentsResponse()

    def _get_document(self, request: vault_pb2.GetDocumentRequest) -> vault_pb2.GetDocumentResponse:
        place, content = self.documents.get(request.place.document_id, (None, b""))
        if place != request.place:
            raise NotFound
        if request.place.kind in _FILES:
            return vault_pb2.GetDocumentResponse(content=content)
        return vault_pb2.GetDocumentResponse(text=content.decode())
