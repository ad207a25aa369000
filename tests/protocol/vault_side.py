# SPDX-License-Identifier: Apache-2.0
"""The vault's side of the model: each method is one transaction, by the production rules."""

from functools import lru_cache
from typing import NamedTuple

from services.chassis.slices import (
    ProposalVerdict,
    SliceVersion,
    Stamp,
    Verdict,
    completes,
    judge,
)
from services.vault.carry import Taken, take
from services.vault.kinship import Relative, as_one_person
from services.vault.standing import (
    ClaimsStanding,
    ConsentStanding,
    OrderStanding,
    Slice,
    Standing,
)
from tests.protocol.acts import Body, decide
from tests.protocol.bugs import Bug, overlaid
from tests.protocol.state import Request, Response, Shelf, Stock, Vault

DEFERRED = ProposalVerdict.DEFERRED


class Kept(NamedTuple):
    """The outcome of taking a slice, as numbers of the stock; `carried` -1: nothing."""

    slice: int
    memory: int
    verdicts: tuple[tuple[str, str], ...]
    carried: int


def standing_of(slices: list[Slice], *, visitor: bool = False) -> Standing:
    """Put the deciders' slices together; a decider that the scenario leaves out is None.

    `visitor`: the claims are of an account, and reach the visitor while a link stands.
    """
    consent = next((s for s in slices if isinstance(s, ConsentStanding)), None)
    claims = next((s for s in slices if isinstance(s, ClaimsStanding)), None)
    orders = next((s for s in slices if isinstance(s, OrderStanding)), None)
    if not visitor:
        return Standing(consent, claims, orders)
    linked = consent is not None and consent.link is not None
    account = [Relative(account=True, consent=None, claims=claims)] if linked else []
    return as_one_person(Standing(consent, None, orders), account)


def taken(
    old: Slice | None,
    body: Body,
    memory: dict[str, ProposalVerdict],
    others: list[Slice] | None,
    *,
    visitor: bool = False,
) -> Taken[ConsentStanding] | Taken[ClaimsStanding] | Taken[OrderStanding]:
    """Call the vault's rule; `others` None: it cannot decide yet.

    `visitor`: what is proposed is decided on what stands of that visitor alone.
    """
    pushed = body.slice

    def verdict(so_far: Slice, proposal_id: str) -> ProposalVerdict:
        if others is None:
            return DEFERRED
        standing = standing_of([so_far, *others], visitor=visitor)
        return decide(standing, body.slice, proposal_id)

    if isinstance(pushed, ConsentStanding):
        agreed = old if isinstance(old, ConsentStanding) else None
        return take(agreed, pushed, body.open_ids, memory, verdict)
    if isinstance(pushed, ClaimsStanding):
        claimed = old if isinstance(old, ClaimsStanding) else None
        return take(claimed, pushed, body.open_ids, memory, verdict)
    ordered = old if isinstance(old, OrderStanding) else None
    return take(ordered, pushed, body.open_ids, memory, verdict)


def _stamp(incarnation: int, counter: int, body: int) -> Stamp:
    # Equal bodies have equal numbers, so the number serves as their digest.
    return Stamp(SliceVersion(incarnation, counter), body.to_bytes(4, "big"))


@lru_cache(maxsize=1 << 16)
def _judged(
    current: tuple[int, int, int] | None, sent: tuple[int, int, int], highest: int, named: bool
) -> Verdict:
    held = None if current is None else _stamp(*current)
    return judge(held, _stamp(*sent), highest, names_this_vault=named)


class VaultSide:
    """What the vault does with messages; `seen` collects the verdicts that came up."""

    def __init__(self, stock: Stock, bugs: frozenset[Bug]) -> None:
        self._stock = stock
        self._bugs = bugs
        self._known: dict[tuple[object, ...], Kept] = {}
        self.seen: set[str] = set()

    def judged(self, vault: Vault, request: Request) -> Verdict:
        """Judge a push as it would be judged if it arrived now."""
        shelf = vault.shelves[request.decider]
        named = request.vault == vault.incarnation or Bug.ANY_VAULT in self._bugs
        sent = (request.incarnation, request.counter, request.body)
        verdict = _judged(shelf.stamp, sent, shelf.highest, named)
        self.seen.add(verdict)
        return verdict

    def receive(self, vault: Vault, request: Request) -> tuple[Vault, Response]:
        """Apply a push and answer."""
        number, shelf = request.decider, vault.shelves[request.decider]
        verdict = self.judged(vault, request)
        kept = Kept(shelf.slice, shelf.memory, (), -1)
        if verdict in {Verdict.APPLIED, Verdict.REPEAT}:
            kept = self._take(vault, request)
            stamp = (request.incarnation, request.counter, request.body)
            shelf = shelf._replace(stamp=stamp, slice=kept.slice, memory=kept.memory)
            vault = shelved(vault, number, shelf)
        current = None if shelf.stamp is None else shelf.stamp[:2]
        return vault, Response(
            number,
            request.incarnation,
            request.counter,
            verdict,
            vault.incarnation,
            shelf.highest,
            current,
            kept.verdicts,
            kept.carried,
        )

    def completed(self, vault: Vault, request: Request) -> Vault:
        """Handle a CompleteResync."""
        shelf = vault.shelves[request.decider]
        named = request.vault == vault.incarnation
        counts = completes(named, request.incarnation, shelf.highest)
        if not (counts or Bug.ANY_COMPLETION in self._bugs):
            return vault
        return shelved(vault, request.decider, shelf._replace(complete=True))

    def _take(self, vault: Vault, request: Request) -> Kept:
        shelf = vault.shelves[request.decider]
        others: tuple[int, ...] | None = None
        if vault.ready or Bug.EARLY_DECISIONS in self._bugs:
            others = tuple(s.slice for n, s in enumerate(vault.shelves) if n != request.decider)
        old = -1 if self._forgets(shelf, request) else shelf.slice
        key = (old, shelf.slice, request.body, shelf.memory, others)
        if key not in self._known:
            self._known[key] = self._taken(old, shelf, request.body, others)
        return self._known[key]

    def _forgets(self, shelf: Shelf, request: Request) -> bool:
        if self._bugs & {Bug.NO_CARRY, Bug.DELTA}:
            return True
        if Bug.CARRY_ONCE not in self._bugs or shelf.stamp is None:
            return False
        incarnation, counter, _ = shelf.stamp
        return incarnation == request.incarnation and counter < request.counter

    def _taken(self, old: int, shelf: Shelf, body: int, others: tuple[int, ...] | None) -> Kept:
        stock, memory = self._stock, self._stock.memories[shelf.memory]
        remembered = {pid: ProposalVerdict(verdict) for pid, verdict in memory}
        result = taken(
            None if old < 0 else stock.slices[old],
            stock.bodies[body],
            {} if Bug.NO_MEMORY in self._bugs else remembered,
            None if others is None else [stock.slices[number] for number in others],
            visitor=Bug.ONE_ID in self._bugs,
        )
        kept: Slice = result.standing
        if Bug.DELTA in self._bugs:
            kept = overlaid(stock.slices[shelf.slice], kept)
        verdicts = tuple(sorted((pid, str(verdict)) for pid, verdict in result.verdicts.items()))
        self.seen.update(f"proposal {verdict}" for _, verdict in verdicts)
        self.seen.update({"carried"} if result.carried is not None else ())
        final = {verdict for verdict in verdicts if verdict[1] != DEFERRED}
        if Bug.SHORT_MEMORY in self._bugs:
            named = stock.bodies[body].slice.proposal_ids()
            memory = frozenset(verdict for verdict in memory if verdict[0] in named)
        return Kept(
            stock.slices.number(kept),
            stock.memories.number(memory | final),
            verdicts,
            -1 if result.carried is None else stock.slices.number(result.carried),
        )


def shelved(vault: Vault, number: int, shelf: Shelf) -> Vault:
    """Put one decider's shelf in its place."""
    shelves = vault.shelves
    return vault._replace(shelves=(*shelves[:number], shelf, *shelves[number + 1 :]))
