# SPDX-License-Identifier: Apache-2.0
"""What must hold in every world (I1, I2, I5, I6 of the guarantees), and once the network heals."""

from typing import NamedTuple

from services.vault.standing import (
    ClaimsStanding,
    ConsentStanding,
    Slice,
)
from tests.protocol.acts import PROPOSALS, Act, Kind, knows, permitted, without_outdone
from tests.protocol.model import Model
from tests.protocol.state import Decider, Opening, Request, Told, Vault, World
from tests.protocol.vault_side import standing_of

ROUNDS = 12
"""Exchanges that suffice to quiet one decider after any faults within the bounds."""


class View(NamedTuple):
    """What the safety of a world depends on, decider by decider."""

    slices: tuple[int, ...]
    complete: tuple[bool, ...]
    told: tuple[tuple[int, ...], ...]
    restored: tuple[bool, ...]
    vault_restored: bool


class Invariants:
    """Checks of one model; what depends on part of a world only is worked out once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._safe: dict[View, str | None] = {}
        self._quiet: dict[tuple[object, ...], str | None] = {}

    def broken(self, world: World, *, heal: bool = True) -> str | None:
        """Name what is wrong in this world, or None; `heal`: also with what it heals to."""
        view = View(
            tuple(shelf.slice for shelf in world.vault.shelves),
            tuple(shelf.complete for shelf in world.vault.shelves),
            world.told,
            tuple(backup is False for backup in world.decider_backups),
            self.model.forgot(world),
        )
        if view not in self._safe:
            self._safe[view] = self._unsafe(view)
        if self._safe[view] is not None or not heal:
            return self._safe[view]
        core = (world.deciders, world.vault)
        if core not in self._quiet:
            self._quiet[core] = self._unquiet(world)
        return self._quiet[core]

    def _unsafe(self, view: View) -> str | None:
        slices = [self.model.stock.slices[number] for number in view.slices]
        standing = standing_of(slices, visitor=self.model.scenario.visitor)
        out = permitted(standing) if all(view.complete) else frozenset()
        for number, script in enumerate(self.model.scenario.scripts):
            for index, act in enumerate(script):
                wrong = self._wrong_act(view, number, index, slices[number])
                if act.kind not in PROPOSALS and view.told[number][index] == Told.IN_FORCE:
                    ended = self._ended(script, view.told[number], index)
                    reaches = act.kind is not Kind.BLOCK or self._reached(view)
                    if not ended and reaches and forbidden(act) & out:
                        wrong = "permitted although in force"
                if wrong is not None:
                    return f"{wrong}: {act}"
        return None

    def _reached(self, view: View) -> bool:
        """Tell whether a block reaches whom the standing is of: a visitor by a link in force."""
        if not self.model.scenario.visitor:
            return True
        for number, script in enumerate(self.model.scenario.scripts):
            kept = not (view.restored[number] and view.vault_restored)
            fates = dict(zip((act.kind for act in script), view.told[number], strict=True))
            if kept and fates.get(Kind.LINK) == Told.IN_FORCE:
                return fates.get(Kind.UNLINK, Told.NEVER_MADE) == Told.NEVER_MADE
        return False

    def _wrong_act(self, view: View, number: int, index: int, held: Slice) -> str | None:
        """Name what the vault's slice has wrong about one act."""
        script, fates = self.model.scenario.scripts[number], view.told[number]
        act, fate, complete = script[index], fates[index], view.complete[number]
        if act.kind not in PROPOSALS:
            stays = act.kind in {Kind.BLOCK, Kind.DISAGREE, Kind.CLOSE}
            due = stays and fate == Told.IN_FORCE and complete
            if due and not (knows(held, act, index) or self._ended(script, fates, index)):
                return "acknowledged and lost"
            return None
        effective = act.proposal_id in effective_ids(held)
        restored = view.restored[number]
        if fate == Told.IN_FORCE and complete and not restored and not effective:
            return "acknowledged and lost"
        if effective and fate == Told.NEVER_MADE:
            return "never proposed"
        if effective and fate == Told.REFUSED and not (restored and view.vault_restored):
            return "refused, yet in force"
        return None

    @staticmethod
    def _ended(script: tuple[Act, ...], fates: tuple[int, ...], index: int) -> bool:
        """Tell whether an act that ends this restriction has begun."""
        act = script[index]
        ends = {
            Kind.BLOCK: {Kind.LIFT},
            Kind.WITHDRAW: {Kind.GRANT},
            Kind.DISAGREE: {Kind.ACCEPT},
        }.get(act.kind, set())
        return any(
            later.kind in ends
            and later.target == act.target
            and fate not in {Told.NEVER_MADE, Told.REFUSED}
            for later, fate in zip(script[index + 1 :], fates[index + 1 :], strict=True)
        )

    def _unquiet(self, world: World) -> str | None:
        """Heal the network: every push arrives and is answered, again and again.

        A sweep pushes each current slice once more, as the slow dispatcher or fsck does: without
        it a database set back unnoticed, and never used again, would stay behind.
        """
        for number in range(len(world.deciders)):
            for turn in range(ROUNDS):
                decider = world.deciders[number]
                if decider.opening is not Opening.NO or decider.vault != world.vault.incarnation:
                    decider, vault = self.model.deciders.opened(decider, world.vault, number)
                    world = replaced(world, number, decider, vault)
                elif decider.unpushed or turn == 0:
                    world = self._exchange(world, number)
                elif decider.resync:
                    request = Request(number, *decider[:2], 0, -1, orphan=False)
                    vault = self.model.vault.completed(world.vault, request)
                    world = replaced(world, number, decider._replace(resync=False), vault)
                elif decider.pending:
                    world = self._exchange(world, number)
        return self._disagreement(self._final_exchanges(world))

    def _final_exchanges(self, world: World) -> World:
        """Once all are complete, push what the vault could not decide before."""
        for number in range(len(world.deciders)):
            for _ in range(ROUNDS):
                if world.deciders[number].pending:
                    world = self._exchange(world, number)
        return world

    def _exchange(self, world: World, number: int) -> World:
        decider = world.deciders[number]
        lives = (number, decider.vault, decider.incarnation)
        request = Request(*lives, decider.counter, decider.body, orphan=False)
        vault, response = self.model.vault.receive(world.vault, request)
        script = self.model.scenario.scripts[number]
        decider, _ = self.model.deciders.answered(decider, script, response)
        return replaced(world, number, decider, vault)

    def _disagreement(self, world: World) -> str | None:
        if not world.vault.ready:
            return "healed, yet the vault serves nothing"
        for decider, shelf in zip(world.deciders, world.vault.shelves, strict=True):
            if decider.pending or decider.unpushed:
                return "healed, yet an act stays PENDING"
            body = self.model.stock.bodies[decider.body]
            if facts(body.slice) != facts(self.model.stock.slices[shelf.slice]):
                return "healed, yet the standing differs from the book of record"
        return None


def replaced(world: World, number: int, decider: Decider, vault: Vault) -> World:
    deciders = (*world.deciders[:number], decider, *world.deciders[number + 1 :])
    return world._replace(deciders=deciders, vault=vault)


def forbidden(act: Act) -> frozenset[str]:
    """Name what an act in force forbids to let out, in the words of `permitted`."""
    if act.kind is Kind.BLOCK:
        return frozenset({"data", "NEWS", "ADVERTISING", "A-1"})
    if act.kind is Kind.DISAGREE:
        return frozenset({"data", "NEWS", "ADVERTISING"})
    if act.kind is Kind.UNLINK:
        return frozenset({"linked"})
    if act.kind in {Kind.WITHDRAW, Kind.CLOSE}:
        return frozenset({act.target})
    return frozenset()


def effective_ids(slice_: Slice) -> frozenset[str]:
    """Name the proposals that a slice in the standing holds, ended ones included."""
    if isinstance(slice_, ConsentStanding):
        accepted = () if slice_.accepted_time is None else (f"accept-{slice_.accepted_time}",)
        return frozenset((*slice_.proposal_ids(), *accepted))
    return frozenset(slice_.proposal_ids())


def facts(slice_: Slice) -> object:
    """Put a slice's facts in an order of their own, for comparing."""
    if isinstance(slice_, ConsentStanding):
        agreement = (slice_.accepted_version, slice_.accepted_time, slice_.disagreed_time)
        consents = frozenset(without_outdone(slice_).consents)
        return agreement, consents, slice_.proposed_acceptance, frozenset(slice_.links)
    if isinstance(slice_, ClaimsStanding):
        return frozenset(slice_.blocks), frozenset(slice_.holds)
    return frozenset(slice_.orders)
