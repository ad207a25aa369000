# SPDX-License-Identifier: Apache-2.0
"""The push protocol as a state machine: everything that can happen next in a world.

A message once sent may arrive at any time, any number of times, or never: so sending is no choice
of its own (whatever is to be pushed is in flight at once), and loss, repetition and reordering
come from what is delivered when. Each step is one transaction of one side, so a crash loses only
what a process had not written: answers on their way to it (never handled), and the knowledge that
it must open an incarnation.
"""

from collections.abc import Iterator
from operator import itemgetter
from typing import TypeVar

from services.chassis.slices import ProposalVerdict, Verdict
from tests.protocol.acts import Body, Kind
from tests.protocol.bugs import Bug, delta
from tests.protocol.decider_side import DeciderSide
from tests.protocol.restores import decider_restores, vault_restores
from tests.protocol.scenarios import Scenario
from tests.protocol.state import (
    Decider,
    Opening,
    Outcome,
    Request,
    Response,
    Shelf,
    Stock,
    Told,
    Vault,
    World,
)
from tests.protocol.vault_side import VaultSide

T = TypeVar("T")


class Model:
    """One scenario under the production rules, or with planted bugs."""

    def __init__(self, scenario: Scenario, bugs: frozenset[Bug] = frozenset()) -> None:
        self.scenario = scenario
        self.bugs = bugs
        self.stock = Stock()
        self.vault = VaultSide(self.stock, bugs)
        self.deciders = DeciderSide(self.stock, bugs)

    def start(self) -> World:
        """Every decider has pushed its first slice; nothing is in flight."""
        nothing = self.stock.memories.number(frozenset())
        deciders, shelves = [], []
        for book in self.scenario.books:
            body = self.stock.bodies.number(book)
            deciders.append(Decider(1, 1, 1, body, (), False, False, Opening.NO))
            kept = self.stock.slices.number(book.slice)
            shelves.append(Shelf(1, True, (1, 1, body), kept, nothing))
        restores = self.scenario.restores
        return World(
            tuple(deciders),
            Vault(1, tuple(shelves)),
            frozenset(),
            (),
            tuple((Told.NEVER_MADE,) * len(script) for script in self.scenario.scripts),
            tuple(None if number in restores else True for number in range(len(deciders))),
            None,
            self.scenario.vault_restores,
            self.scenario.strays,
        )

    def next(self, world: World) -> Iterator[Outcome]:
        """Give every (label, next world, what it breaks or None)."""
        for number in range(len(world.deciders)):
            yield from self._act(world, number)
            yield from self._open(world, number)
            yield from decider_restores(self, world, number)
        for request in world.requests:
            yield from self._deliver(world, request)
        for response in world.responses:
            yield from self._handle(world, response)
        yield from vault_restores(self, world)

    def stored(
        self, world: World, number: int, decider: Decider, before: Body | None = None
    ) -> World:
        """Store a decider; what it has to send is in flight. `before`: the body before its act."""
        world = world._replace(deciders=put(world.deciders, number, decider))
        if decider.opening is not Opening.NO:
            return self.pruned(world)
        lives, sent = (number, decider.vault, decider.incarnation), set(world.requests)
        body: int | None = decider.body
        if Bug.DELTA in self.bugs:
            body = None if before is None else self._delta(before, decider.body)
        if (decider.pending or decider.unpushed) and body is not None:
            sent.add(Request(*lives, decider.counter, body, orphan=False))
        if decider.resync and (not decider.unpushed or Bug.COMPLETE_FIRST in self.bugs):
            sent.add(Request(*lives, 0, -1, orphan=False))
        return self.pruned(world._replace(requests=frozenset(sent)))

    def pruned(self, world: World) -> World:
        """Drop requests that the rules refuse for ever and whose answers teach nothing."""
        if self.bugs & {Bug.ANY_VAULT, Bug.ANY_COMPLETION, Bug.OLD_ANSWERS, Bug.COUNTER_REUSED}:
            return world
        kept = frozenset(request for request in world.requests if self._alive(world, request))
        return world if kept == world.requests else world._replace(requests=kept)

    def _delta(self, before: Body, number: int) -> int:
        whole = self.stock.bodies[number]
        return self.stock.bodies.number(Body(delta(before.slice, whole.slice), whole.open_ids))

    def _alive(self, world: World, request: Request) -> bool:
        vault, own = world.vault, world.deciders[request.decider]
        shelf = vault.shelves[request.decider]
        if request.body < 0:
            counts = request.vault == vault.incarnation and request.incarnation == shelf.highest
            return counts and (not shelf.complete or own.resync)
        verdict = self.vault.judged(vault, request)
        if verdict is Verdict.NEEDS_ALL:
            return False  # A greeting tells the decider as much.
        if verdict is not Verdict.STALE:
            return True
        if request.orphan:
            return False
        ahead = (shelf.stamp or (0, 0, 0))[:2] > (own.incarnation, own.counter)
        return ahead or shelf.highest > own.incarnation

    def _act(self, world: World, number: int) -> Iterator[Outcome]:
        """The decider commits the next act of its script."""
        told, script = world.told[number], self.scenario.scripts[number]
        if Told.NEVER_MADE not in told:
            return
        index = told.index(Told.NEVER_MADE)
        decider = world.deciders[number]
        committed = self.deciders.commit(decider, script, index)
        if committed is None:
            return
        for superseded in committed.superseded:
            told = put(told, superseded, Told.SUPERSEDED)
        early = Bug.ACKNOWLEDGE_FIRST in self.bugs
        told = put(told, index, Told.IN_FORCE if early else Told.PENDING)
        world = world._replace(told=put(world.told, number, told))
        before = self.stock.bodies[decider.body]
        yield str(script[index]), self.stored(world, number, committed.decider, before), None

    def _deliver(self, world: World, request: Request) -> Iterator[Outcome]:
        number, label = request.decider, f"decider {request.decider}: "
        if request.body < 0:
            vault, decider = self.vault.completed(world.vault, request), world.deciders[number]
            lives = (decider.vault, decider.incarnation)
            if not request.orphan and (request.vault, request.incarnation) == lives:
                decider = decider._replace(resync=False)
            world = self.stored(world._replace(vault=vault), number, decider)
            yield label + "CompleteResync arrives", world, None
            return
        vault, response = self.vault.receive(world.vault, request)
        arrived = self.pruned(world._replace(vault=vault))
        label += f"push {request.incarnation}.{request.counter} arrives, {response.verdict}"
        breach = self._breach(world, response)
        if request.orphan or response in world.responses:
            yield label + ", nobody waits", arrived, breach
            return
        others = tuple(r for r in world.responses if r.decider != number)
        waiting = tuple(r for r in world.responses if r.decider == number)
        # With every place taken, either this answer is lost or the oldest.
        if len(waiting) >= self.scenario.answers:
            yield label + ", its answer is lost", arrived, breach
            waiting = waiting[1:]
        responses = tuple(sorted((*others, *waiting, response), key=itemgetter(0)))
        yield label, arrived._replace(responses=responses), breach

    def _handle(self, world: World, response: Response) -> Iterator[Outcome]:
        """The decider handles an answer in one transaction, then tells the caller."""
        number, script = response.decider, self.scenario.scripts[response.decider]
        told, breach = world.told[number], None
        decider, finals = self.deciders.answered(world.deciders[number], script, response)
        excused = world.decider_backups[number] is False and self.forgot(world)
        for index, fate in finals:
            if {told[index], fate} == {Told.IN_FORCE, Told.REFUSED} and not excused:
                breach = "a final answer changed"
            if told[index] != Told.SUPERSEDED:
                told = put(told, index, fate)
        left = tuple(r for r in world.responses if r is not response)
        world = world._replace(responses=left, told=put(world.told, number, told))
        label = f"decider {number}: handles {response.verdict} for "
        label += f"{response.incarnation}.{response.counter}"
        yield label, self.stored(world, number, decider), breach

    def _open(self, world: World, number: int) -> Iterator[Outcome]:
        """A decider that was told so, or greets a vault it does not know, opens an incarnation."""
        decider, vault = world.deciders[number], world.vault
        if decider.opening is Opening.ANSWERED:
            left = tuple(r for r in world.responses if r.decider != number)
            forgotten = decider._replace(opening=Opening.NO)
            after = self.stored(world._replace(responses=left), number, forgotten)
            yield f"decider {number}: crashes", after, None
        due = decider.opening is not Opening.NO or decider.vault != vault.incarnation
        opened, vault = self.deciders.opened(decider, vault, number)
        if due:
            label = f"decider {number}: opens incarnation {opened.incarnation}"
            yield label, self.stored(world._replace(vault=vault), number, opened), None
        if world.strays and (due or decider.incarnation > 1):
            # The answer is lost, or the call was sent long ago and arrives only now.
            stray = world._replace(vault=vault, strays=world.strays - 1)
            yield f"decider {number}: a stray OpenIncarnation arrives", self.pruned(stray), None

    def forgot(self, world: World) -> bool:
        """Tell whether the vault was ever restored."""
        return world.vault_restores < self.scenario.vault_restores

    def _breach(self, world: World, response: Response) -> str | None:
        """Name what an answer alone shows to be wrong."""
        number = response.decider
        restored = world.decider_backups[number] is False
        if response.verdict == Verdict.CONFLICT and not restored:
            return "a conflict although the decider was never restored"
        former = response.incarnation < response.highest
        if former and response.verdict in {Verdict.APPLIED, Verdict.REPEAT}:
            return "a push of a former life applied"
        if response.carried >= 0 and not restored and Bug.DELTA not in self.bugs:
            return "facts carried over although the decider was never restored"
        memory = self.stock.memories[world.vault.shelves[number].memory]
        fresh = {verdict for verdict in response.verdicts if verdict not in memory}
        if any(v == ProposalVerdict.APPLIED for _, v in fresh) and self._blocked(world):
            return "a proposal applied under a block in force"
        return None

    def _blocked(self, world: World) -> bool:
        """Tell whether a block was acknowledged as in force and nobody has begun to lift it."""
        for script, told in zip(self.scenario.scripts, world.told, strict=True):
            fates = list(zip(script, told, strict=True))
            lifted = {a.target for a, t in fates if a.kind is Kind.LIFT and t != Told.NEVER_MADE}
            blocks = {a.target for a, t in fates if a.kind is Kind.BLOCK and t == Told.IN_FORCE}
            if blocks - lifted:
                return True
        return False


def put(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """Replace one value."""
    return (*values[:index], value, *values[index + 1 :])
