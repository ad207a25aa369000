# SPDX-License-Identifier: Apache-2.0
"""Takes a pushed slice into the standing (`docs/protocol.md`).

One transaction under the subject's exclusive lock: judge the version, join
with what stands, give every open proposal its verdict, write corrections that
an outcome confirmed, and the evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.clock import Clock
from services.chassis.database import Connection
from services.chassis.refusal import SubjectDestroyed
from services.chassis.slices import ProposalVerdict, SliceVersion, Stamp, Verdict, judge
from services.vault import store, store_changes, store_life, store_links, store_slices, wire
from services.vault.block_keeper import BlockKeeper
from services.vault.carry import Taken, take
from services.vault.correction import Corrections
from services.vault.decide import Denial, Kinship, Life, Operation, Question, decide
from services.vault.due_destructions import DueDestructions
from services.vault.order_documents import OrderDocuments, SealedMessage
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import (
    ClaimsStanding,
    ConsentStanding,
    Link,
    OrderStanding,
    Origin,
    Slice,
    Standing,
)
from services.vault.store import Case, SliceRow, Subject
from services.vault.store_keys import KeyStore
from services.vault.wire_case import (
    CONSENT,
    ORDERS,
    life_of,
    own_standing_of,
    schedule_of,
    standing_of,
    with_relatives,
)

S = TypeVar("S", ConsentStanding, ClaimsStanding, OrderStanding)
_Receipt = vault_pb2.SliceReceipt
_Proposal = vault_pb2.ProposalOutcome
CLOSED_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Pushed(Generic[S]):
    """A pushed slice with its header, the digest of its canonical bytes, and sealed messages."""

    topic: str
    decider: str
    header: vault_pb2.SliceHeader
    slice: S
    digest: bytes
    messages: tuple[SealedMessage, ...] = ()

    @property
    def subject(self) -> Subject:
        """(site, subject)"""
        return (self.header.site_id, self.header.subject_id)

    @property
    def stamp(self) -> Stamp:
        """Its version and digest."""
        version = self.header.version
        return Stamp(SliceVersion(version.incarnation, version.counter), self.digest)


def canonical_digest(slice_: object) -> bytes:
    """SHA-256 of a slice message's deterministic bytes."""
    return hashlib.sha256(slice_.SerializeToString(deterministic=True)).digest()  # type: ignore[attr-defined]


class SliceTaker:
    """Applies pushes."""

    def __init__(
        self,
        keys: KeyStore,
        corrections: Corrections,
        blocks: BlockKeeper,
        due: DueDestructions,
        documents: OrderDocuments,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._blocks = blocks
        self._documents = documents
        self._corrections = corrections
        self._due = due
        self._clock = clock

    def take_push(self, connection: Connection, pushed: Pushed[S]) -> vault_pb2.SliceReceipt:
        """Judge and apply; the receipt is complete but for evidence. Locks the subject."""
        self._lock(connection, pushed)
        now = self._clock.now()
        held = store_slices.read_slice(connection, *pushed.subject, pushed.topic)
        receipt, verdict = self.judge(connection, pushed.decider, pushed.header, pushed.stamp, held)
        if verdict not in (Verdict.APPLIED, Verdict.REPEAT):
            return receipt
        case = store.cases(connection, [pushed.subject])[pushed.subject]
        life = life_of(case)
        if life is Life.DESTROYED:
            receipt.verdict = _Receipt.SUBJECT_DESTROYED
            return receipt
        # While the vault is brought up to date, consent may still have to push the subject.
        if life is Life.UNKNOWN and pushed.topic == ORDERS and store.ready(connection):
            receipt.verdict = _Receipt.UNKNOWN_SUBJECT
            return receipt
        if life is Life.UNKNOWN and pushed.topic == CONSENT:
            try:
                self._keys.ensure_owner_key(*pushed.subject)
            except SubjectDestroyed:
                receipt.verdict = _Receipt.SUBJECT_DESTROYED
                return receipt
            store_slices.create_subject(connection, *pushed.subject, now)
            case = Case("PRESENT", 0, case.slices)
        self._apply(connection, pushed, case, receipt, now)
        return receipt

    def _lock(self, connection: Connection, pushed: Pushed[S]) -> None:
        """Lock the whole person, and for a link that is proposed the account's too."""
        site, subject = pushed.subject
        accounts: list[str] = [link.account_id for link in _proposed_links(pushed)]
        store_links.lock_persons(connection, site, [subject, *accounts])

    def judge(
        self,
        connection: Connection,
        decider: str,
        header: vault_pb2.SliceHeader,
        stamp: Stamp,
        held: SliceRow | None,
    ) -> tuple[vault_pb2.SliceReceipt, Verdict]:
        """The head of a receipt: verdict, present version, lives."""
        vault = store_life.read_life(connection)
        assert vault is not None, "the vault's life is written at start"
        life = store_life.read_decider(connection, decider)
        current = Stamp(SliceVersion(held.incarnation, held.counter), held.digest) if held else None
        verdict = judge(
            current,
            stamp,
            life.highest_incarnation,
            names_this_vault=header.vault_incarnation == vault.vault_incarnation,
        )
        stands = (
            stamp.version if verdict is Verdict.APPLIED else current.version if current else None
        )
        receipt = vault_pb2.SliceReceipt(
            verdict=_Receipt.Verdict.Value(verdict),
            current=_version(stands) if stands is not None else None,
            vault_incarnation=vault.vault_incarnation,
            highest_incarnation=life.highest_incarnation,
        )
        return receipt, verdict

    def _apply(
        self,
        connection: Connection,
        pushed: Pushed[S],
        case: Case,
        receipt: vault_pb2.SliceReceipt,
        now: datetime,
    ) -> None:
        mentioned = {*pushed.slice.proposal_ids(), *pushed.header.open_proposals}
        known = store_slices.read_verdicts(connection, pushed.subject, pushed.topic, mentioned)
        reasons = {each: reason for each, (_, reason) in known.items()}
        remembered = {each: ProposalVerdict(verdict) for each, (verdict, _) in known.items()}
        ready = store.ready(connection)
        kinships = _kinships(connection, pushed)
        taken = self._take(pushed, case, kinships, remembered, reasons, ready, now)
        version = pushed.stamp.version
        settled = _bytes(taken.standing)
        row = SliceRow(version.incarnation, version.counter, pushed.digest, settled)
        store_slices.write_slice(connection, *pushed.subject, pushed.topic, row, now)
        final = {
            each: (str(verdict), reasons.get(each, ""))
            for each, verdict in taken.verdicts.items()
            if verdict is not ProposalVerdict.DEFERRED
        }
        store_slices.write_verdicts(connection, pushed.subject, pushed.topic, final, now)
        receipt.apply_time.FromDatetime(now)
        receipt.carried.extend(_carried_ids(taken.carried))
        _tell_carried(receipt, taken.carried)
        versions = _versions(pushed.slice, schedule_of(case))
        receipt.proposals.extend(_outcomes(taken.verdicts, reasons, versions))
        standing: ConsentStanding | ClaimsStanding | OrderStanding = taken.standing
        if isinstance(standing, ConsentStanding) and standing.links:
            account = standing.link.account_id if standing.link else ""
            store_links.write_link(connection, *pushed.subject, account)
        slice_: ConsentStanding | ClaimsStanding | OrderStanding = pushed.slice
        if isinstance(standing, ClaimsStanding) and isinstance(slice_, ClaimsStanding):
            self._blocks.taken(connection, pushed.subject, case, slice_, standing, now)
        if isinstance(standing, ClaimsStanding) and case.life:
            written = self._corrections.write_due(
                connection, pushed.subject, standing, case.data_version, now
            )
            for correction_id, made in sorted(written.items()):
                receipt.corrections.add(correction_id=correction_id, version=made)
        if isinstance(standing, OrderStanding) and case.life:
            self._documents.follow(connection, pushed.subject, standing, pushed.messages, now)
        if isinstance(standing, ClaimsStanding):
            own = own_standing_of(case)
            if kind := store_changes.change_of(own, replace(own, claims=standing)):
                store_changes.add(connection, pushed.subject, kind, now)
                for relative in case.relatives:
                    # All ids of one person are blocked together (1.1.5).
                    also = (pushed.subject[0], relative.subject_id)
                    store_changes.add(connection, also, kind, now)
            self._due.note(connection, pushed.subject, standing, now)

    def _take(
        self,
        pushed: Pushed[S],
        case: Case,
        kinships: Mapping[str, Kinship],
        remembered: Mapping[str, ProposalVerdict],
        reasons: dict[str, str],
        ready: bool,
        now: datetime,
    ) -> Taken[S]:
        own = own_standing_of(case)
        schedule = schedule_of(case)

        def verdict(so_far: S, proposal_id: str) -> ProposalVerdict:
            if not ready:
                return ProposalVerdict.DEFERRED
            question = _question(pushed.slice, proposal_id, kinships)
            standing = with_relatives(_with(own, so_far), _related(case, so_far))
            decision = decide(question, life_of(case), standing, schedule, now)
            if isinstance(decision, Denial):
                reasons[proposal_id] = decision.reason
                return ProposalVerdict.REFUSED
            return ProposalVerdict.APPLIED

        old = _unforgotten(_of_topic(own, pushed.slice), now)
        return take(old, pushed.slice, pushed.header.open_proposals, remembered, verdict)


def _outcomes(
    verdicts: Mapping[str, ProposalVerdict],
    reasons: Mapping[str, str],
    versions: Mapping[str, int],
) -> list[vault_pb2.ProposalOutcome]:
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


def _versions(
    slice_: ConsentStanding | ClaimsStanding | OrderStanding, schedule: PolicySchedule
) -> dict[str, int]:
    """The policy version in force when each order of a slice was placed, by its proposal."""
    orders = slice_.orders if isinstance(slice_, OrderStanding) else ()
    return {order.proposal_id: schedule.in_force(order.placed_time) for order in orders}


def _proposed_links(pushed: Pushed[S]) -> list[Link]:
    if not isinstance(pushed.slice, ConsentStanding):
        return []
    proposals = set(pushed.header.open_proposals)
    return [link for link in pushed.slice.links if link.proposal_id in proposals]


def _kinships(connection: Connection, pushed: Pushed[S]) -> dict[str, Kinship]:
    """The account of each proposed link as it stands, by proposal."""
    site, visitor = pushed.subject
    found = {}
    for link in _proposed_links(pushed):
        account = store.cases(connection, [(site, link.account_id)])[(site, link.account_id)]
        standing = standing_of(account)
        visitors = store_links.count_visitors(connection, site, link.account_id)
        found[link.proposal_id] = Kinship(
            life_of(account),
            standing,
            is_visitor=standing.linked or link.account_id == visitor,
            has_visitors=store_links.count_visitors(connection, site, visitor) > 0,
            full=visitors >= store_links.MOST_VISITORS,
        )
    return found


def _question(
    slice_: ConsentStanding | ClaimsStanding | OrderStanding,
    proposal: str,
    kinships: Mapping[str, Kinship],
) -> Question:
    """What a proposal asks of the gate."""
    if isinstance(slice_, OrderStanding):
        return Question(Operation.PLACE_ORDER)
    if proposal in kinships:
        return Question(Operation.LINK, kinship=kinships[proposal])
    if isinstance(slice_, ConsentStanding):
        accepted = slice_.proposed_acceptance
        if accepted is not None and accepted.proposal_id == proposal:
            return Question(Operation.ACCEPT, explicit=accepted.explicit)
        for fact in slice_.consents:
            if fact.proposal_id == proposal:
                return Question(Operation.GRANT, purpose=fact.purpose)
    raise ValueError("a proposal that the slice does not hold")


def _of_topic(whole: Standing, like: S) -> S | None:
    if isinstance(like, ConsentStanding):
        return whole.consent
    if isinstance(like, ClaimsStanding):
        return whole.claims
    return whole.orders


def _unforgotten(old: S | None, now: datetime) -> S | None:
    """The slice held, without orders closed so long ago that the broker forgets them too."""
    if not isinstance(old, OrderStanding):
        return old
    kept = [o for o in old.orders if o.closed_time is None or now - o.closed_time < CLOSED_KEPT]
    return OrderStanding(tuple(kept))


def _with(whole: Standing, slice_: S) -> Standing:
    if isinstance(slice_, ConsentStanding):
        # Links of the same push are decided one after the other.
        linked = slice_.link is not None
        return Standing(slice_, whole.claims, whole.orders, linked)
    if isinstance(slice_, ClaimsStanding):
        return replace(whole, claims=slice_)
    return replace(whole, orders=slice_)


def _related(case: Case, slice_: Slice) -> Case:
    """The case without the account that a pushed slice points to no longer."""
    points = any(relative.account for relative in case.relatives)
    if points and isinstance(slice_, ConsentStanding) and slice_.link is None:
        return replace(case, relatives=())
    return case


def _bytes(slice_: ConsentStanding | ClaimsStanding | OrderStanding) -> bytes:
    if isinstance(slice_, ConsentStanding):
        return wire.consent_to(slice_).SerializeToString(deterministic=True)
    if isinstance(slice_, ClaimsStanding):
        return wire.claims_to(slice_).SerializeToString(deterministic=True)
    return wire.orders_to(slice_).SerializeToString(deterministic=True)


def _tell_carried(
    receipt: vault_pb2.SliceReceipt,
    facts: ConsentStanding | ClaimsStanding | OrderStanding | None,
) -> None:
    """Put the carried facts themselves into the receipt."""
    if isinstance(facts, ConsentStanding):
        receipt.carried_consent.CopyFrom(wire.consent_to(facts))
    elif isinstance(facts, ClaimsStanding):
        receipt.carried_claims.CopyFrom(wire.claims_to(facts))
    elif isinstance(facts, OrderStanding):
        receipt.carried_orders.CopyFrom(wire.orders_to(facts))


def _carried_ids(facts: ConsentStanding | ClaimsStanding | OrderStanding | None) -> list[str]:
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
