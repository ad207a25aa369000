# SPDX-License-Identifier: Apache-2.0
"""Breadth-first enumeration of every world that a scenario can reach."""

from typing import NamedTuple

from tests.protocol.invariants import Invariants
from tests.protocol.model import Model
from tests.protocol.state import World


class Explored(NamedTuple):
    """Worlds and transitions seen; `breach` and the shortest `trace` to it, if one was found."""

    worlds: int
    transitions: int
    breach: str | None
    trace: tuple[str, ...]


def explore(model: Model, limit: int, *, heal: bool = True) -> Explored:
    """Enumerate until everything was seen or something is wrong; `heal`: also what holds at rest.

    Raises:
        RuntimeError: more than `limit` worlds; a cut enumeration proves nothing.
    """
    invariants, start = Invariants(model), model.start()
    parents: dict[World, tuple[World, str] | None] = {start: None}
    frontier, transitions = [start], 0
    while frontier:
        reached: list[World] = []
        for world in frontier:
            for label, after, wrong in model.next(world):
                transitions += 1
                breach = wrong
                if after not in parents:
                    parents[after] = (world, label)
                    reached.append(after)
                    breach = wrong or invariants.broken(after, heal=heal)
                if breach is not None:
                    trace = (*_trace(parents, world), label)
                    return Explored(len(parents), transitions, breach, trace)
            if len(parents) > limit:
                raise RuntimeError(f"more than {limit} worlds in {model.scenario.name}")
        frontier = reached
    return Explored(len(parents), transitions, None, ())


def _trace(parents: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    labels: list[str] = []
    came = parents[world]
    while came is not None:
        labels.append(came[1])
        came = parents[came[0]]
    return tuple(reversed(labels))
