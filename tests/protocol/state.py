# SPDX-License-Identifier: Apache-2.0
"""The model's state: every database, every message in flight, and what the callers were told.

Slices, bodies and memories are interned: a state holds their numbers, so that it hashes fast.
"""

from collections.abc import Hashable
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from services.vault.standing import Slice
from tests.protocol.acts import Body

T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """Numbers for equal objects."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}
        self._objects: list[T] = []

    def number(self, thing: T) -> int:
        known = self._numbers.get(thing)
        if known is None:
            known = self._numbers[thing] = len(self._objects)
            self._objects.append(thing)
        return known

    def __getitem__(self, number: int) -> T:
        return self._objects[number]


class Stock:
    """The interned objects of one model; `memories` are sets of (proposal id, verdict)."""

    def __init__(self) -> None:
        self.bodies: Interned[Body] = Interned()
        self.slices: Interned[Slice] = Interned()
        self.memories: Interned[frozenset[tuple[str, str]]] = Interned()


class Told(IntEnum):
    """What became of one act of the script, as its caller knows it.

    LOST: it was in force, but every copy of it was restored away; nothing can keep it.
    """

    NEVER_MADE = 0
    PENDING = 1
    IN_FORCE = 2
    REFUSED = 3
    SUPERSEDED = 4
    LOST = 5


class Opening(IntEnum):
    """Why a decider must open an incarnation; NOTICED is seen again after a crash."""

    NO = 0
    ANSWERED = 1
    NOTICED = 2


class Decider(NamedTuple):
    """One decider's database, and `opening`.

    `pending`: (act, counter) not yet final. `unpushed`: the vault has not confirmed
    this slice under this incarnation; `resync`: CompleteResync is not confirmed.
    """

    vault: int
    incarnation: int
    counter: int
    body: int
    pending: tuple[tuple[int, int], ...]
    unpushed: bool
    resync: bool
    opening: Opening


class Shelf(NamedTuple):
    """What the vault keeps of one decider; `stamp` is (incarnation, counter, body)."""

    highest: int
    complete: bool
    stamp: tuple[int, int, int] | None
    slice: int
    memory: int


class Vault(NamedTuple):
    incarnation: int
    shelves: tuple[Shelf, ...]

    @property
    def ready(self) -> bool:
        return all(shelf.complete for shelf in self.shelves)


class Request(NamedTuple):
    """A push, or with `body` -1 a CompleteResync; once sent it may arrive at any time, any number
    of times, or never. `orphan`: its sender's database was restored; nobody waits for the answer.
    """

    decider: int
    vault: int
    incarnation: int
    counter: int
    body: int
    orphan: bool


class Response(NamedTuple):
    """The answer to one push; `verdicts` are (proposal id, verdict), `carried` a slice or -1."""

    decider: int
    incarnation: int
    counter: int
    verdict: str
    vault: int
    highest: int
    current: tuple[int, int] | None
    verdicts: tuple[tuple[str, str], ...]
    carried: int


class World(NamedTuple):
    """`told[d][i]` is a Told; a decider's backup is None, a copy, or False once it was used (True:
    none is made). `vault_restores` are those still to come, from one backup each.
    """

    deciders: tuple[Decider, ...]
    vault: Vault
    requests: frozenset[Request]
    responses: tuple[Response, ...]
    told: tuple[tuple[int, ...], ...]
    decider_backups: tuple[Decider | bool | None, ...]
    vault_backup: Vault | None
    vault_restores: int
    strays: int


Outcome = tuple[str, World, str | None]
"""A step's label, the world after it, and what the step breaks, if anything."""
