# SPDX-License-Identifier: Apache-2.0
"""Disasters: a database is set back to any of its earlier states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.protocol.acts import PROPOSALS, knows
from tests.protocol.bugs import Bug
from tests.protocol.state import Opening, Outcome, Told, Vault, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.protocol.model import Model


def decider_restores(model: Model, world: World, number: int) -> Iterator[Outcome]:
    """Take a decider's one backup, or restore it; what its former life sent is still in flight."""
    backup, decider = world.decider_backups[number], world.deciders[number]
    before, behind = world.decider_backups[:number], world.decider_backups[number + 1 :]
    if isinstance(backup, bool):
        return
    if backup is None:
        noticed = decider.opening is Opening.NOTICED
        saved = decider._replace(opening=Opening.NOTICED if noticed else Opening.NO)
        backed = world._replace(decider_backups=(*before, saved, *behind))
        yield f"decider {number}: backup", backed, None
        return
    sent = (r._replace(orphan=True) if r.decider == number else r for r in world.requests)
    world = world._replace(
        requests=frozenset(sent),
        responses=tuple(r for r in world.responses if r.decider != number),
        decider_backups=(*before, False, *behind),
    )
    for noticed in model.scenario.noticed:
        opens = noticed and Bug.COUNTER_REUSED not in model.bugs
        back = backup._replace(opening=Opening.NOTICED if opens else backup.opening)
        label = f"decider {number}: restored, {'noticed' if noticed else 'unnoticed'}"
        yield label, _bereaved(model, model.stored(world, number, back)), None


def vault_restores(model: Model, world: World) -> Iterator[Outcome]:
    """Take the vault's backup, or restore it; a restored vault takes a new incarnation."""
    backup = world.vault_backup
    if not world.vault_restores:
        return
    if backup is None:
        yield "vault: backup", world._replace(vault_backup=world.vault), None
        return
    if Bug.RESTORED_UNNOTICED not in model.bugs:
        early = Bug.EARLY_READS in model.bugs
        shelves = tuple(shelf._replace(complete=early) for shelf in backup.shelves)
        backup = Vault(world.vault.incarnation + 1, shelves)
    left = world.vault_restores - 1
    world = world._replace(vault=backup, vault_backup=None, vault_restores=left)
    yield "vault: restored", _bereaved(model, model.pruned(world)), None


def _bereaved(model: Model, world: World) -> World:
    """Excuse restricting acts of which the restores left no copy: nothing can keep them."""
    told = []
    for number, fates in enumerate(world.told):
        book = model.stock.bodies[world.deciders[number].body].slice
        held = model.stock.slices[world.vault.shelves[number].slice]
        script = model.scenario.scripts[number]
        kept = tuple(
            fate != Told.IN_FORCE
            or act.kind in PROPOSALS
            or knows(book, act, index)
            or knows(held, act, index)
            for index, (act, fate) in enumerate(zip(script, fates, strict=True))
        )
        told.append(tuple(f if k else Told.LOST for f, k in zip(fates, kept, strict=True)))
    return world._replace(told=tuple(told))
