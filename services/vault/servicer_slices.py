# SPDX-License-Identifier: Apache-2.0
"""Takes pushed slices into the standing (`docs/protocol.md`).

One transaction under the exclusive locks of the subjects, for one push or for many: judge the
version, join with what stands, give every open proposal its verdict, write corrections that an
outcome confirmed, and the evidence. What every push does is one statement for all of them; what few
do, each does by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Generic, TypeVar

from qupia.vault.v1 import vault_pb2
from services.chassis.clock import Clock
from services.chassis.database import Connection
from services.chassis.refusal import SubjectDestroyed
from services.chassis.slices import ProposalVerdict, SliceVersion, Stamp, Verdict
from services.vault import store, store_changes, store_life, store_links, store_slices
from services.vault.block_keeper import Blocked, BlockKeeper
from services.vault.carry import Taken, take
from services.vault.correction import Corrections
from services.vault.decide import Denial, Kinship, Life, Operation, Question, decide
from services.vault.due_destructions import DueDestructions
from services.vault.order_documents import OrderDocuments, SealedMessage
from services.vault.standing import (
    ClaimsStanding,
    ConsentStanding,
    Link,
    OrderStanding,
    Slice,
    Standing,
)
from services.vault.store import Case, RelativeRow, SliceRow, Subject
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
from services.vault.wire_receipt import bytes_of, judged, outcomes, tell_carried, versions_of

S = TypeVar("S", ConsentStanding, ClaimsStanding, OrderStanding)
_Receipt = vault_pb2.SliceReceipt
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


@dataclass(frozen=True, slots=True)
class _Taking(Generic[S]):
    """A push that is taken, what its subject stood on before, and its receipt so far."""

    pushed: Pushed[S]
    case: Case
    own: Standing
    receipt: vault_pb2.SliceReceipt

    @property
    def subject(self) -> Subject:
        """(site, subject)"""
        return self.pushed.subject


class SliceTaker:
    """Applies pushes: as many together as come together, of one decider and topic."""

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

    def lock(self, connection: Connection, pushed: Pushed[S]) -> None:
        """Lock the whole person, and for a link that is proposed the account's too.

        Raises Unavailable where somebody else holds one of them for long.
        """
        site = pushed.subject[0]
        store_links.lock_persons(connection, site, [one for _, one in _touched(pushed)])

    def try_lock(self, connection: Connection, pushes: Sequence[Pushed[S]]) -> list[bool]:
        """The same for each of them, waiting for nobody: False for one that is to be done alone."""
        return store_links.try_lock_persons(connection, [_touched(pushed) for pushed in pushes])

    def take(
        self, connection: Connection, pushes: Sequence[Pushed[S]]
    ) -> list[vault_pb2.SliceReceipt]:
        """Judge and apply each; a receipt for each, complete but for evidence.

        The caller holds the locks of all. What one push raises (StateConflict, KeyUnavailable, …)
        spoils the transaction for all of them.
        """
        now = self._clock.now()
        cases = store.cases(connection, [pushed.subject for pushed in pushes])
        lives = store_life.read_lives(connection, pushes[0].decider)
        ready = cache(lambda: store.ready(connection))
        receipts, takings = [], []
        for pushed in pushes:
            case = cases[pushed.subject]
            held = case.slices.get(pushed.topic)
            receipt, verdict = judged(lives, pushed.header, pushed.stamp, held)
            receipts.append(receipt)
            if verdict not in (Verdict.APPLIED, Verdict.REPEAT):
                continue
            living = self._living(connection, pushed, case, ready, now)
            if isinstance(living, Case):
                own = own_standing_of(living)
                takings.append(_Taking(pushed, living, own, receipt))
            else:
                receipt.verdict = living
        if takings:
            self._apply(connection, takings, ready, now)
        return receipts

    def _living(
        self,
        connection: Connection,
        pushed: Pushed[S],
        case: Case,
        ready: Callable[[], bool],
        now: datetime,
    ) -> Case | vault_pb2.SliceReceipt.Verdict.ValueType:
        """The case of a subject that may be pushed, or why this one may not."""
        life = life_of(case)
        if life is Life.DESTROYED:
            return _Receipt.SUBJECT_DESTROYED
        # While the vault is brought up to date, consent may still have to push the subject.
        if life is Life.UNKNOWN and pushed.topic == ORDERS and ready():
            return _Receipt.UNKNOWN_SUBJECT
        if life is Life.UNKNOWN and pushed.topic == CONSENT:
            try:
                self._keys.ensure_owner_key(*pushed.subject)
            except SubjectDestroyed:
                return _Receipt.SUBJECT_DESTROYED
            store_slices.create_subject(connection, *pushed.subject, now)
            return Case("PRESENT", 0, case.slices)
        return case

    def _apply(
        self,
        connection: Connection,
        takings: Sequence[_Taking[S]],
        ready: Callable[[], bool],
        now: datetime,
    ) -> None:
        topic = takings[0].pushed.topic
        known = store_slices.read_verdicts(
            connection, topic, {each.subject: _mentioned(each.pushed) for each in takings}
        )
        rows, decided, stood = {}, {}, {}
        for each in takings:
            of_subject = known[each.subject]
            reasons = {proposal: reason for proposal, (_, reason) in of_subject.items()}
            remembered = {p: ProposalVerdict(verdict) for p, (verdict, _) in of_subject.items()}
            kinships = _kinships(connection, each.pushed)
            taken = self._take(each, kinships, remembered, reasons, ready, now)
            version = each.pushed.stamp.version
            rows[each.subject] = SliceRow(
                version.incarnation, version.counter, each.pushed.digest, bytes_of(taken.standing)
            )
            decided[each.subject] = {
                proposal: (str(verdict), reasons.get(proposal, ""))
                for proposal, verdict in taken.verdicts.items()
                if verdict is not ProposalVerdict.DEFERRED
            }
            stood[each.subject] = taken.standing
            each.receipt.apply_time.FromDatetime(now)
            tell_carried(each.receipt, taken.carried)
            versions = versions_of(each.pushed.slice, schedule_of(each.case))
            each.receipt.proposals.extend(outcomes(taken.verdicts, reasons, versions))
        store_slices.write_slices(connection, topic, rows, now)
        store_slices.write_verdicts(connection, topic, decided, now)
        self._follow(connection, takings, stood, now)

    def _follow(
        self,
        connection: Connection,
        takings: Sequence[_Taking[S]],
        stood: Mapping[Subject, S],
        now: datetime,
    ) -> None:
        """What follows from the slices that stand now."""
        blocked: list[Blocked] = []
        for each in takings:
            standing: Slice = stood[each.subject]
            pushed: Slice = each.pushed.slice
            if isinstance(standing, ConsentStanding) and standing.links:
                account = standing.link.account_id if standing.link else ""
                store_links.write_link(connection, *each.subject, account)
            if isinstance(standing, OrderStanding) and each.case.life:
                messages = each.pushed.messages
                self._documents.follow(connection, each.subject, standing, messages, now)
            if isinstance(standing, ClaimsStanding) and isinstance(pushed, ClaimsStanding):
                blocked.append(Blocked(each.subject, each.own, pushed, standing))
                self._correct(connection, each, standing, now)
                self._due.note(connection, each.subject, standing, now)
        if blocked:
            self._blocks.taken(connection, blocked, now)
            relatives = {each.subject: each.case.relatives for each in takings}
            store_changes.add_all(connection, _changes(blocked, relatives), now)

    def _correct(
        self, connection: Connection, each: _Taking[S], standing: ClaimsStanding, now: datetime
    ) -> None:
        if each.case.life:
            written = self._corrections.write_due(
                connection, each.subject, standing, each.case.data_version, now
            )
            for correction_id, made in sorted(written.items()):
                each.receipt.corrections.add(correction_id=correction_id, version=made)

    def _take(
        self,
        taking: _Taking[S],
        kinships: Mapping[str, Kinship],
        remembered: Mapping[str, ProposalVerdict],
        reasons: dict[str, str],
        ready: Callable[[], bool],
        now: datetime,
    ) -> Taken[S]:
        pushed, case, own = taking.pushed, taking.case, taking.own
        schedule = schedule_of(case)

        def verdict(so_far: S, proposal_id: str) -> ProposalVerdict:
            if not ready():
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


def _changes(
    blocked: Sequence[Blocked], relatives: Mapping[Subject, Sequence[RelativeRow]]
) -> list[tuple[Subject, str]]:
    """What those who hold the data have to hear of."""
    made = []
    for each in blocked:
        kind = store_changes.change_of(each.before, replace(each.before, claims=each.standing))
        if kind:
            # All ids of one person are blocked together (1.1.5).
            site, own = each.subject
            ids = [own, *(relative.subject_id for relative in relatives[each.subject])]
            made += [((site, one), kind) for one in ids]
    return made


def _mentioned(pushed: Pushed[S]) -> set[str]:
    return {*pushed.slice.proposal_ids(), *pushed.header.open_proposals}


def _touched(pushed: Pushed[S]) -> list[Subject]:
    """The subject, and the accounts of links that are proposed."""
    site, subject = pushed.subject
    accounts: list[str] = [link.account_id for link in _proposed_links(pushed)]
    return [(site, one) for one in (subject, *accounts)]


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
