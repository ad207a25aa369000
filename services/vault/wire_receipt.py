# SPDX-License-Identifier: Apache-2.0
"""Receipts of pushes as messages (`docs/protocol.md`): verdicts, versions, carried facts."""

from __future__ import annotations

from collections.abc import Mapping

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.slices import ProposalVerdict, SliceVersion, Stamp, Verdict, judge
from services.vault import wire
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import ClaimsStanding, ConsentStanding, OrderStanding, Origin, Slice
from services.vault.store import SliceRow
from services.vault.store_life import Lives

_Receipt = vault_pb2.SliceReceipt
_Proposal = vault_pb2.ProposalOutcome


def judged(
    lives: Lives, header: vault_pb2.SliceHeader, stamp: Stamp, held: SliceRow | None
) -> tuple[vault_pb2.SliceReceipt, Verdict]:
    """The head of a receipt: verdict, present version, lives."""
    current = Stamp(SliceVersion(held.incarnation, held.counter), held.digest) if held else None
    verdict = judge(
        current,
        stamp,
        lives.highest_incarnation,
        names_this_vault=header.vault_incarnation == lives.vault_incarnation,
    )
    stands = stamp.version if verdict is Verdict.APPLIED else current.version if current else None
    receipt = _Receipt(
        verdict=_Receipt.Verdict.Value(verdict),
        current=_version(stands) if stands is not None else None,
        vault_incarnation=lives.vault_incarnation,
        highest_incarnation=lives.highest_incarnation,
    )
    return receipt, verdict


def outcomes(
    verdicts: Mapping[str, ProposalVerdict],
    reasons: Mapping[str, str],
    versions: Mapping[str, int],
) -> list[vault_pb2.ProposalOutcome]:
    """What became of each proposal, by the reason of a refusal and an order's policy version."""
    return [
        _Proposal(
            proposal_id=proposal_id,
            verdict=_Proposal.Verdict.Value(verdict),
            reason=contract_pb2.Refusal.Reason.Value(
                reasons.get(proposal_id) or "REASON_UNSPECIFIED"
            ),
            policy_version=versions.get(proposal_id, 0),
        )
        for proposal_id, verdict in sorted(verdicts.items())
    ]


def versions_of(slice_: Slice, schedule: PolicySchedule) -> dict[str, int]:
    """The policy version in force when each order of a slice was placed, by its proposal."""
    orders = slice_.orders if isinstance(slice_, OrderStanding) else ()
    return {order.proposal_id: schedule.in_force(order.placed_time) for order in orders}


def bytes_of(slice_: Slice) -> bytes:
    """A settled slice as it is kept."""
    if isinstance(slice_, ConsentStanding):
        return wire.consent_to(slice_).SerializeToString(deterministic=True)
    if isinstance(slice_, ClaimsStanding):
        return wire.claims_to(slice_).SerializeToString(deterministic=True)
    return wire.orders_to(slice_).SerializeToString(deterministic=True)


def tell_carried(
    receipt: vault_pb2.SliceReceipt,
    facts: Slice | None,
) -> None:
    """Name the carried facts in the receipt, and put them into it."""
    receipt.carried.extend(_carried_ids(facts))
    if isinstance(facts, ConsentStanding):
        receipt.carried_consent.CopyFrom(wire.consent_to(facts))
    elif isinstance(facts, ClaimsStanding):
        receipt.carried_claims.CopyFrom(wire.claims_to(facts))
    elif isinstance(facts, OrderStanding):
        receipt.carried_orders.CopyFrom(wire.orders_to(facts))


def _carried_ids(facts: Slice | None) -> list[str]:
    if facts is None:
        return []
    if isinstance(facts, ClaimsStanding):
        # Of a block that the vault made itself the claims service hears in another way; that it
        # ended, the vault has from the claims service.
        made = [b for b in facts.blocks if b.origin is Origin.SAME_CONTACT and b.outcome is None]
        blocks = [b.claim_id for b in facts.blocks if b not in made]
        return blocks + [h.hold_id for h in facts.holds]
    if isinstance(facts, OrderStanding):
        return [order.order_id for order in facts.orders]
    ids = [fact.proposal_id for fact in facts.consents]
    ids += [link.proposal_id for link in facts.links]
    return ids + (["disagreement"] if facts.disagreed_time else [])


def _version(version: SliceVersion) -> vault_pb2.SliceVersion:
    return vault_pb2.SliceVersion(incarnation=version.incarnation, counter=version.counter)
