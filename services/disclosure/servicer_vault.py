# SPDX-License-Identifier: Apache-2.0
"""The calls that the broker makes to the vault."""

from __future__ import annotations

from collections.abc import Sequence

from qupia.vault.v1 import (
    authority_pb2,
    pushes_pb2,
    recipients_pb2,
    standing_changes_pb2,
    vault_pb2,
)
from services.chassis.client import Client
from services.chassis.decider.store_outbox import Push
from services.chassis.decider.wire_pushes import together
from services.chassis.sealed.document import SealedDocument, SealingKey, StoredDocument
from services.disclosure import wire
from services.disclosure.notice import Recall
from services.disclosure.recaller import Heard
from services.disclosure.recipient import Named

_RECALL = "/qupia.vault.v1.VaultRecallService/"
_DECIDER = "/qupia.vault.v1.VaultDeciderService/"
_DISCLOSURE = "/qupia.vault.v1.VaultDisclosureService/"
_PUSH_TOGETHER = "/qupia.vault.v1.VaultOrderPushService/ApplyOrderSlices"
_RECIPIENTS = "/qupia.vault.v1.VaultRecipientService/"
_AUTHORITY = "/qupia.vault.v1.VaultAuthorityService/"
_DOCUMENTS = "/qupia.vault.v1.VaultDocumentService/"


class Vault:
    """The vault; every call takes its time limit in seconds and raises Refusal."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def apply_order_slice(
        self, push: Push, header: vault_pb2.SliceHeader, timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Push a subject's slice."""
        request = vault_pb2.ApplyOrderSliceRequest(
            header=header, slice=vault_pb2.OrderSlice.FromString(push.body)
        )
        answer = self._client.call(
            f"{_DISCLOSURE}ApplyOrderSlice", request, vault_pb2.ApplyOrderSliceResponse, timeout
        )
        return answer.receipt

    def apply_order_slices(
        self, pushes: Sequence[tuple[Push, vault_pb2.SliceHeader]], timeout: float
    ) -> Sequence[vault_pb2.SliceReceipt]:
        """Push subjects' slices together; one whose receipt has no verdict was not taken."""
        request = together(pushes_pb2.ApplyOrderSlicesRequest(), pushes)
        answer = pushes_pb2.ApplyOrderSlicesResponse
        return self._client.call(_PUSH_TOGETHER, request, answer, timeout).receipts

    def read_for_release(
        self, request: vault_pb2.ReadForReleaseRequest, timeout: float
    ) -> vault_pb2.ReadForReleaseResponse:
        """Ask for the data of prepared releases."""
        return self._client.call(
            f"{_DISCLOSURE}ReadForRelease", request, vault_pb2.ReadForReleaseResponse, timeout
        )

    def find_release_entry(self, site_id: str, release_id: str, timeout: float) -> str:
        """The id of the vault's entry for a release; empty where it gave nothing out."""
        request = vault_pb2.GetReleaseEntryRequest(site_id=site_id, release_id=release_id)
        answer = self._client.call(
            f"{_DISCLOSURE}GetReleaseEntry", request, vault_pb2.GetReleaseEntryResponse, timeout
        )
        return answer.entry_id

    def check_for_authority(
        self, request: authority_pb2.CheckForAuthorityRequest, timeout: float
    ) -> authority_pb2.CheckForAuthorityResponse:
        """What stands against giving a state body what it asks for."""
        return self._client.call(
            f"{_AUTHORITY}CheckForAuthority",
            request,
            authority_pb2.CheckForAuthorityResponse,
            timeout,
        )

    def read_for_authority(
        self, request: authority_pb2.ReadForAuthorityRequest, timeout: float
    ) -> authority_pb2.ReadForAuthorityResponse:
        """Ask for the data of a prepared release to a state body."""
        return self._client.call(
            f"{_AUTHORITY}ReadForAuthority",
            request,
            authority_pb2.ReadForAuthorityResponse,
            timeout,
        )

    def put_document(self, document: SealedDocument, timeout: float) -> None:
        """Store a sealed document."""
        place = StoredDocument(
            document.site_id,
            document.owner_id,
            document.bound_to,
            document.document_id,
            document.kind,
        )
        request = vault_pb2.PutDocumentRequest(
            place=_place(place), sealing_key_id=document.key_id, sealed=document.sealed
        )
        self._client.call(
            f"{_DOCUMENTS}PutDocument", request, vault_pb2.PutDocumentResponse, timeout
        )

    def get_document(self, place: StoredDocument, reader: str, timeout: float) -> str:
        """Open a text for `reader`, as it is recorded."""
        request = vault_pb2.GetDocumentRequest(place=_place(place), reader=reader)
        answer = self._client.call(
            f"{_DOCUMENTS}GetDocument", request, vault_pb2.GetDocumentResponse, timeout
        )
        return answer.text

    def get_sealing_key(self, timeout: float) -> SealingKey:
        """The public key that messages are sealed to."""
        answer = self._client.call(
            f"{_DECIDER}GetSealingKey",
            vault_pb2.GetSealingKeyRequest(),
            vault_pb2.GetSealingKeyResponse,
            timeout,
        )
        return SealingKey(answer.key_id, answer.public_key)

    def list_standing_changes(self, cursor: str, timeout: float) -> Heard:
        """What has happened to people after a cursor."""
        answer = self._client.call(
            f"{_RECALL}ListStandingChanges",
            standing_changes_pb2.ListStandingChangesRequest(cursor=cursor),
            standing_changes_pb2.ListStandingChangesResponse,
            timeout,
        )
        kinds = standing_changes_pb2.StandingChange.Kind
        recalls = [
            Recall(
                each.change_id,
                each.site_id,
                each.subject_id,
                kinds.Name(each.kind),
                wire.instant(each.change_time),
            )
            for each in answer.changes
        ]
        return Heard(recalls, answer.cursor, answer.vault_incarnation)

    def name_recipients(self, names: Sequence[Named], timeout: float) -> None:
        """Tell who recipients are."""
        kinds = recipients_pb2.NamedRecipient.Kind
        request = recipients_pb2.NameRecipientsRequest(
            recipients=[
                recipients_pb2.NamedRecipient(
                    site_id=each.site_id,
                    recipient_id=each.recipient_id,
                    kind=kinds.Value(each.kind),
                    legal_name=each.legal_name,
                    bin=each.bin,
                )
                for each in names
            ]
        )
        answer = recipients_pb2.NameRecipientsResponse
        self._client.call(f"{_RECIPIENTS}NameRecipients", request, answer, timeout)

    def open_incarnation(
        self, known_incarnation: int, timeout: float
    ) -> vault_pb2.OpenIncarnationResponse:
        """Begin a new life as a decider."""
        request = vault_pb2.OpenIncarnationRequest(known_incarnation=known_incarnation)
        return self._client.call(
            f"{_DECIDER}OpenIncarnation", request, vault_pb2.OpenIncarnationResponse, timeout
        )

    def complete_resync(
        self, request: vault_pb2.CompleteResyncRequest, timeout: float
    ) -> vault_pb2.CompleteResyncResponse:
        """Say that every slice has been pushed."""
        return self._client.call(
            f"{_DECIDER}CompleteResync", request, vault_pb2.CompleteResyncResponse, timeout
        )


def _place(place: StoredDocument) -> vault_pb2.DocumentPlace:
    return vault_pb2.DocumentPlace(
        site_id=place.site_id,
        owner_id=place.owner_id,
        bound_to=place.bound_to,
        document_id=place.document_id,
        kind=vault_pb2.Document.Kind.Value(place.kind),
    )
