# SPDX-License-Identifier: Apache-2.0
"""What the vault says of claims, to be put into the book."""

from collections.abc import Callable, Sequence

from qupia.vault.v1 import recovery_pb2, vault_pb2
from services.chassis.database import Connection
from services.chassis.decider.store import Key
from services.chassis.sealed.document import StoredDocument
from services.claims.mending import Mender
from services.claims.recovery import HeldBlock, HeldClaim, HeldHold
from services.claims.state import Claimant, ClaimKind, Outcome
from services.claims.store_recovery import KeptDocument
from services.claims.wire import instant

_Block = vault_pb2.Block


def held_claims(slice_: vault_pb2.ClaimsSlice) -> Sequence[HeldClaim]:
    """What a slice, or a part of one, says of each claim, by claim id."""
    blocks = {block.claim_id: _block(block) for block in slice_.blocks}
    holds = {hold.claim_id: _hold(hold) for hold in slice_.holds if hold.claim_id}
    return [
        HeldClaim(claim_id, blocks.get(claim_id), holds.get(claim_id))
        for claim_id in sorted(blocks.keys() | holds.keys())
    ]


def with_receipts(
    mender: Mender,
) -> Callable[[Connection, Key, vault_pb2.SliceReceipt], None]:
    """Mends the book with what the receipt of a push carried (`Topic.mend`)."""

    def mend(connection: Connection, key: Key, receipt: vault_pb2.SliceReceipt) -> None:
        mender.mend(connection, key, held_claims(receipt.carried_claims))

    return mend


def kept_documents(answer: recovery_pb2.ListDocumentsResponse) -> Sequence[KeptDocument]:
    """The documents that the vault lists."""
    return [
        KeptDocument(
            StoredDocument(
                each.place.site_id,
                each.place.owner_id,
                each.place.bound_to,
                each.place.document_id,
                vault_pb2.Document.Kind.Name(each.place.kind),
            ),
            instant(each.store_time),
        )
        for each in answer.documents
    ]


def _block(block: vault_pb2.Block) -> HeldBlock:
    origin = _Block.Origin.Name(block.origin)
    concluded = block.outcome not in (_Block.OUTCOME_UNSPECIFIED, _Block.RELEASED)
    return HeldBlock(
        ClaimKind(_Block.Ground.Name(block.ground)),
        None if origin == "SAME_CONTACT" else Claimant(origin),
        instant(block.since_time),
        instant(block.recorded_time),
        Outcome(_Block.Outcome.Name(block.outcome)) if concluded else None,
        block.correction_id,
        block.outcome == _Block.RELEASED,
    )


def _hold(hold: vault_pb2.LegalHold) -> HeldHold:
    return HeldHold(
        hold.hold_id,
        instant(hold.since_time),
        hold.kind == vault_pb2.LegalHold.COURT,
        instant(hold.ended_time) if hold.HasField("ended_time") else None,
    )
