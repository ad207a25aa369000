# SPDX-License-Identifier: Apache-2.0
"""The calls that the broker makes to the vault."""

from __future__ import annotations

from qupia.vault.v1 import vault_pb2
from services.chassis.client import Client
from services.chassis.decider.store_outbox import Push
from services.chassis.sealed.document import SealingKey

_DECIDER = "/qupia.vault.v1.VaultDeciderService/"
_DISCLOSURE = "/qupia.vault.v1.VaultDisclosureService/"


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

    def get_sealing_key(self, timeout: float) -> SealingKey:
        """The public key that messages are sealed to."""
        answer = self._client.call(
            f"{_DECIDER}GetSealingKey",
            vault_pb2.GetSealingKeyRequest(),
            vault_pb2.GetSealingKeyResponse,
            timeout,
        )
        return SealingKey(answer.key_id, answer.public_key)

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
