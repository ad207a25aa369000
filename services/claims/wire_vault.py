# SPDX-License-Identifier: Apache-2.0
"""What the claims service asks of the vault."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import blocking_pb2, documents_pb2, pushes_pb2, recovery_pb2, vault_pb2
from services.chassis.decider.store_outbox import Push
from services.chassis.decider.wire_pushes import together
from services.chassis.refusal import FieldViolation, InvalidArgument, Refusal, Unavailable
from services.chassis.sealed.document import SealedDocument, SealingKey, StoredDocument
from services.claims.recovering import LostSubject
from services.claims.store_recovery import KeptDocument
from services.claims.store_same_contact import ProvisionalBlock
from services.claims.wire import given_names, instant
from services.claims.wire_recovery import held_claims, kept_documents

M = TypeVar("M", bound=Message)

_BLOCKING: Final = "/qupia.vault.v1.VaultBlockingService"
_CLAIMS: Final = "/qupia.vault.v1.VaultClaimsService"
_DECIDER: Final = "/qupia.vault.v1.VaultDeciderService"
_DOCUMENTS: Final = "/qupia.vault.v1.VaultDocumentService"
_RECOVERY: Final = "/qupia.vault.v1.VaultRecoveryService"
_OWNERS: Final = 100
_PUSH: Final = "/qupia.vault.v1.VaultClaimsPushService"
_TOGETHER: Final = "/qupia.vault.v1.VaultDocumentsService"

# What the vault may say of a correction itself; anything else is between the two processes.
_OF_THE_CORRECTION = frozenset(
    {
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "SUBJECT_RESTRICTED",
        "SUBJECT_DESTROYED",
        "STATE_CONFLICT",
        "VAULT_NOT_READY",
        "KEY_UNAVAILABLE",
        "OVERLOADED",
        "UNAVAILABLE",
    }
)


class Caller(Protocol):
    """Calls RPCs of the vault (`services.chassis.client.Client`)."""

    def call(
        self, path: str, request: Message, answer: type[M], timeout: float, reference: str = ""
    ) -> M:
        """Call within `timeout` seconds. Raises Refusal."""
        ...


class Vault:
    """The vault as the claims service sees it; every method raises Refusal."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def apply_slice(
        self, push: Push, header: vault_pb2.SliceHeader, timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Push a claims slice."""
        request = vault_pb2.ApplyClaimsSliceRequest(
            header=header, slice=vault_pb2.ClaimsSlice.FromString(push.body)
        )
        path = f"{_CLAIMS}/ApplyClaimsSlice"
        return self._caller.call(path, request, vault_pb2.ApplyClaimsSliceResponse, timeout).receipt

    def apply_slices(
        self, pushes: Sequence[tuple[Push, vault_pb2.SliceHeader]], timeout: float
    ) -> Sequence[vault_pb2.SliceReceipt]:
        """Push claims slices together; one whose receipt has no verdict was not taken."""
        request = together(pushes_pb2.ApplyClaimsSlicesRequest(), pushes)
        path = f"{_PUSH}/ApplyClaimsSlices"
        answer = self._caller.call(path, request, pushes_pb2.ApplyClaimsSlicesResponse, timeout)
        return answer.receipts

    def open_incarnation(self, known: int, timeout: float) -> vault_pb2.OpenIncarnationResponse:
        """Open a new life of this decider."""
        request = vault_pb2.OpenIncarnationRequest(known_incarnation=known)
        path = f"{_DECIDER}/OpenIncarnation"
        return self._caller.call(path, request, vault_pb2.OpenIncarnationResponse, timeout)

    def complete_resync(
        self, request: vault_pb2.CompleteResyncRequest, timeout: float
    ) -> vault_pb2.CompleteResyncResponse:
        """Say that every slice was pushed."""
        path = f"{_DECIDER}/CompleteResync"
        return self._caller.call(path, request, vault_pb2.CompleteResyncResponse, timeout)

    def sealing_key(self, timeout: float) -> SealingKey:
        """The public key to seal documents with."""
        path = f"{_DECIDER}/GetSealingKey"
        request = vault_pb2.GetSealingKeyRequest()
        answer = self._caller.call(path, request, vault_pb2.GetSealingKeyResponse, timeout)
        return SealingKey(answer.key_id, answer.public_key)

    def put_document(self, document: SealedDocument, timeout: float) -> None:
        """Store a sealed document."""
        path = f"{_DOCUMENTS}/PutDocument"
        self._caller.call(path, _put(document), vault_pb2.PutDocumentResponse, timeout)

    def put_documents(self, documents: Sequence[SealedDocument], timeout: float) -> None:
        """Store sealed documents: all of them, or none."""
        request = documents_pb2.PutDocumentsRequest(documents=[_put(each) for each in documents])
        path = f"{_TOGETHER}/PutDocuments"
        self._caller.call(path, request, documents_pb2.PutDocumentsResponse, timeout)

    def get_document(self, place: StoredDocument, reader: str, timeout: float) -> bytes:
        """Open a document for `reader`, as it is recorded."""
        request = vault_pb2.GetDocumentRequest(
            place=vault_pb2.DocumentPlace(
                site_id=place.site_id,
                owner_id=place.owner_id,
                bound_to=place.bound_to,
                document_id=place.document_id,
                kind=vault_pb2.Document.Kind.Value(place.kind),
            ),
            reader=reader,
        )
        path = f"{_DOCUMENTS}/GetDocument"
        answer = self._caller.call(path, request, vault_pb2.GetDocumentResponse, timeout)
        return answer.content or answer.text.encode()

    def look_up(
        self, site_id: str, subject_ids: Sequence[str], timeout: float, reference: str
    ) -> frozenset[str]:
        """Those of the subjects that the site has."""
        request = vault_pb2.LookUpSubjectRequest(site_id=site_id, subject_ids=subject_ids)
        path = f"{_CLAIMS}/LookUpSubject"
        answer = self._caller.call(
            path, request, vault_pb2.LookUpSubjectResponse, timeout, reference
        )
        return frozenset(answer.subject_ids)

    def destroyed(self, site_id: str, subject_ids: Sequence[str], timeout: float) -> frozenset[str]:
        """Those of at most 100 subjects whose data were destroyed."""
        request = vault_pb2.LookUpSubjectRequest(site_id=site_id, subject_ids=subject_ids)
        path = f"{_CLAIMS}/LookUpSubject"
        answer = self._caller.call(path, request, vault_pb2.LookUpSubjectResponse, timeout)
        return frozenset(answer.destroyed)

    def provisional_blocks(
        self, page_token: str, timeout: float
    ) -> tuple[list[ProvisionalBlock], str | None]:
        """A page of the blocks that the vault made itself and nobody has pushed yet, and where
        the next one begins; None: that was the last."""
        request = blocking_pb2.ListProvisionalBlocksRequest(page_token=page_token)
        path = f"{_BLOCKING}/ListProvisionalBlocks"
        response = blocking_pb2.ListProvisionalBlocksResponse
        answer = self._caller.call(path, request, response, timeout)
        return [_provisional(each) for each in answer.blocks], answer.next_page_token or None

    def lost_claims(
        self, incarnation: int, page_token: str, timeout: float
    ) -> tuple[list[LostSubject], str | None] | None:
        """A page of subjects whose claims slice `incarnation` has not pushed, and where the next
        one begins (None: that was the last); None where it is not the present one, or has not
        pushed all it knows."""
        request = recovery_pb2.ListLostClaimsRequest(incarnation=incarnation, page_token=page_token)
        path = f"{_RECOVERY}/ListLostClaims"
        answer = self._caller.call(path, request, recovery_pb2.ListLostClaimsResponse, timeout)
        if not answer.resynced:
            return None
        lost = [
            LostSubject(each.site_id, each.subject_id, held_claims(each.slice))
            for each in answer.lost
        ]
        return lost, answer.next_page_token or None

    def documents_of(
        self, site_id: str, claim_id: str, subject_ids: Sequence[str], timeout: float
    ) -> Sequence[KeptDocument]:
        """The documents that lie in the vault for a claim."""
        request = recovery_pb2.ListDocumentsRequest(
            site_id=site_id, bound_to=claim_id, owner_ids=subject_ids[:_OWNERS]
        )
        path = f"{_RECOVERY}/ListDocuments"
        answer = self._caller.call(path, request, recovery_pb2.ListDocumentsResponse, timeout)
        return kept_documents(answer)

    def interim(
        self, request: blocking_pb2.ListInterimRequest, timeout: float, reference: str
    ) -> blocking_pb2.ListInterimResponse:
        """A page of what was done before a block that reaches back."""
        path = f"{_BLOCKING}/ListInterim"
        answer = blocking_pb2.ListInterimResponse
        return self._caller.call(path, request, answer, timeout, reference)

    def stage_correction(
        self,
        site_id: str,
        subject_id: str,
        claim_id: str,
        correction_id: str,
        data: subject_pb2.PersonalData,
        timeout: float,
        reference: str,
    ) -> None:
        """Have a correction checked and kept until its outcome.

        Raises InvalidArgument naming fields below ``correction``.
        """
        request = vault_pb2.StageCorrectionRequest(
            site_id=site_id,
            subject_id=subject_id,
            claim_id=claim_id,
            correction_id=correction_id,
            data=data,
            update_mask=FieldMask(paths=given_names(data)),
        )
        path = f"{_CLAIMS}/StageCorrection"
        try:
            self._caller.call(path, request, vault_pb2.StageCorrectionResponse, timeout, reference)
        except InvalidArgument as refusal:
            fields = [_renamed(field) for field in refusal.fields]
            raise InvalidArgument(refusal.clause, fields) from None
        except Refusal as refusal:
            if refusal.reason not in _OF_THE_CORRECTION:
                raise Unavailable(retry_after=1) from None
            raise


def _put(document: SealedDocument) -> vault_pb2.PutDocumentRequest:
    return vault_pb2.PutDocumentRequest(
        place=vault_pb2.DocumentPlace(
            site_id=document.site_id,
            owner_id=document.owner_id,
            bound_to=document.bound_to,
            document_id=document.document_id,
            kind=vault_pb2.Document.Kind.Value(document.kind),
        ),
        sealing_key_id=document.key_id,
        sealed=document.sealed,
    )


def _provisional(found: blocking_pb2.ProvisionalBlock) -> ProvisionalBlock:
    block = found.block
    return ProvisionalBlock(
        found.site_id,
        found.subject_id,
        block.claim_id,
        instant(block.since_time),
        instant(block.recorded_time),
        block.origin == vault_pb2.Block.SAME_CONTACT,
        bool(block.outcome),
    )


def _renamed(field: FieldViolation) -> FieldViolation:
    first, dot, rest = field.field.partition(".")
    name = f"correction{dot}{rest}" if first == "data" else "correction"
    return FieldViolation(name, field.rule, field.description)
