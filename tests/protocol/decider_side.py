# SPDX-License-Identifier: Apache-2.0
"""A decider's side of the model: each method is one transaction, by the production rules."""

from dataclasses import replace
from typing import NamedTuple

from services.chassis.slices import (
    Answer,
    ProposalVerdict,
    SliceVersion,
    Step,
    Verdict,
    next_incarnation,
    next_step,
)
from services.vault.carry import carry
from services.vault.standing import ClaimsStanding, ConsentStanding, OrderStanding, Slice
from tests.protocol.acts import PROPOSALS, Act, Body, commit, without_outdone
from tests.protocol.bugs import Bug
from tests.protocol.state import Decider, Opening, Response, Stock, Told, Vault
from tests.protocol.vault_side import shelved

FATES = {
    ProposalVerdict.APPLIED: Told.IN_FORCE,
    ProposalVerdict.REFUSED: Told.REFUSED,
    ProposalVerdict.SUPERSEDED: Told.SUPERSEDED,
    ProposalVerdict.DEFERRED: Told.PENDING,
}


class Committed(NamedTuple):
    """A decider after an act; `superseded` acts got their final answer by it."""

    decider: Decider
    superseded: frozenset[int]


class Answered(NamedTuple):
    """A decider after an answer; `finals` are (act, Told) for the callers."""

    decider: Decider
    finals: tuple[tuple[int, Told], ...]


def mended(book: Slice, facts: Slice) -> Slice:
    """Put carried facts into a book, as the deciders' own stores do by id."""
    if isinstance(book, ConsentStanding) and isinstance(facts, ConsentStanding):
        return carry(facts, book).merged
    if isinstance(book, ClaimsStanding) and isinstance(facts, ClaimsStanding):
        return carry(facts, book).merged
    if isinstance(book, OrderStanding) and isinstance(facts, OrderStanding):
        return carry(facts, book).merged
    raise TypeError("facts of another decider")


class DeciderSide:
    """What a decider does with acts and answers; `seen` collects the steps that came up."""

    def __init__(self, stock: Stock, bugs: frozenset[Bug]) -> None:
        self._stock = stock
        self._bugs = bugs
        self._known: dict[tuple[object, ...], int] = {}
        self.seen: set[str] = set()

    def commit(self, decider: Decider, script: tuple[Act, ...], index: int) -> Committed | None:
        """Record an act, bump the counter, leave it pending; None: the book refuses it."""
        before = self._stock.bodies[decider.body]
        after = commit(script[index], index, before)
        if after is None:
            return None
        dropped = before.open_ids - after.open_ids
        superseded = {i for i, _ in decider.pending if script[i].proposal_id in dropped}
        pending = tuple(p for p in decider.pending if p[0] not in superseded)
        decider = turned(decider, self._stock.bodies.number(after))
        decider = decider._replace(pending=(*pending, (index, decider.counter)))
        return Committed(decider, frozenset(superseded))

    def answered(self, decider: Decider, script: tuple[Act, ...], response: Response) -> Answered:
        """Handle an answer: mend the book, record what is final, choose what comes next."""
        step, verdicts = self._step(decider, response), response.verdicts
        self.seen.add(step)
        finals: tuple[tuple[int, Told], ...] = ()
        if step is Step.OPEN_INCARNATION and decider.opening is Opening.NO:
            decider = decider._replace(opening=Opening.ANSWERED)
        if step is Step.DONE:
            finals = _finals(decider, script, response)
            settled = {index for index, _ in finals}
            pending = tuple(p for p in decider.pending if p[0] not in settled)
            waits = Bug.ALL_OR_NOTHING in self._bugs and decider.unpushed and bool(pending)
            decider = decider._replace(pending=pending, unpushed=waits)
        else:
            verdicts = ()
        body = self._settled(decider.body, verdicts, response.carried)
        if body == decider.body:
            return Answered(decider, finals)
        if Bug.SAME_COUNTER in self._bugs:
            return Answered(decider._replace(body=body), finals)
        return Answered(turned(decider, body), finals)

    def opened(self, decider: Decider, vault: Vault, number: int) -> tuple[Decider, Vault]:
        """Open an incarnation on both sides; every slice is to be pushed again."""
        shelf = vault.shelves[number]
        incarnation = next_incarnation(shelf.highest, decider.incarnation)
        decider = decider._replace(
            vault=vault.incarnation,
            incarnation=incarnation,
            unpushed=True,
            resync=True,
            opening=Opening.NO,
        )
        return decider, shelved(vault, number, shelf._replace(highest=incarnation))

    def _step(self, decider: Decider, response: Response) -> Step:
        verdict = Verdict(response.verdict)
        taken = verdict in {Verdict.APPLIED, Verdict.REPEAT}
        if Bug.OLD_ANSWERS in self._bugs and taken:
            return Step.DONE
        if Bug.COUNTER_REUSED in self._bugs and verdict is Verdict.STALE:
            return Step.DONE
        current = None if response.current is None else SliceVersion(*response.current)
        return next_step(
            SliceVersion(response.incarnation, response.counter),
            SliceVersion(decider.incarnation, decider.counter),
            str(decider.vault),
            Answer(verdict, str(response.vault), response.highest, current),
        )

    def _settled(self, body: int, verdicts: tuple[tuple[str, str], ...], carried: int) -> int:
        key = (body, verdicts, carried)
        if key not in self._known:
            facts = None if carried < 0 else self._stock.slices[carried]
            given = {pid: ProposalVerdict(verdict) for pid, verdict in verdicts}
            settled = self._settle(self._stock.bodies[body], given, facts)
            self._known[key] = self._stock.bodies.number(settled)
        return self._known[key]

    def _settle(
        self, body: Body, verdicts: dict[str, ProposalVerdict], facts: Slice | None
    ) -> Body:
        book, last = body.slice, Bug.MEND_LAST in self._bugs
        if Bug.NO_MENDING in self._bugs:
            facts = None
        if facts is not None and not last:
            book = mended(book, facts)
        given = {pid: verdicts.get(pid, ProposalVerdict.DEFERRED) for pid in body.open_ids}
        left = frozenset(pid for pid, v in given.items() if v is ProposalVerdict.DEFERRED)
        struck = {pid for pid, v in given.items() if v is ProposalVerdict.REFUSED}
        settled: Slice = book.decided(struck)
        if isinstance(book, ConsentStanding) and isinstance(settled, ConsentStanding):
            proposed = book.proposed_acceptance
            if proposed is not None and proposed.proposal_id in left:
                settled = replace(book, consents=settled.consents)
        if isinstance(settled, ConsentStanding) and not left:
            settled = without_outdone(settled)
        if facts is not None and last:
            settled = mended(settled, facts)
        return Body(settled, left)


def turned(decider: Decider, body: int) -> Decider:
    """Give the slice's changed bytes their own counter."""
    return decider._replace(counter=decider.counter + 1, body=body)


def _finals(
    decider: Decider, script: tuple[Act, ...], response: Response
) -> tuple[tuple[int, Told], ...]:
    verdicts, finals = dict(response.verdicts), []
    for index, counter in decider.pending:
        act, fate = script[index], Told.IN_FORCE
        if act.kind in PROPOSALS:
            given = verdicts.get(act.proposal_id, ProposalVerdict.DEFERRED)
            fate = FATES[ProposalVerdict(given)]
        if fate is not Told.PENDING and counter <= response.counter:
            finals.append((index, fate))
    return tuple(finals)
