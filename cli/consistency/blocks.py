# SPDX-License-Identifier: Apache-2.0
"""Every open claim that blocks has its block in the vault, every open block its claim (6.2.3)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_claims import FactRow
from cli.consistency.store_standing import HeldSlice, Place, PushedSlice
from cli.consistency.wire import Unreadable, content_of
from services.claims.state import Claimant, ClaimKind, blocks
from services.vault.standing import Block, ClaimsStanding, Origin
from services.vault.wire_case import CLAIMS

Claimed = tuple[Place, list[FactRow]]


def block_faults(
    facts: Iterable[Claimed],
    pushed: Iterable[PushedSlice],
    held: Iterable[HeldSlice],
    lives: Iterable[tuple[Place, str]],
) -> Iterator[Fault]:
    """Claims without block and blocks without claim; all four by place.

    What still waits to be pushed is not in force yet, and says so: it is no fault.
    """
    claimed = matched(facts, pushed, lambda f: f[0], lambda s: s.place)
    stood = matched(held, lives, lambda s: s.place, lambda each: each[0])
    for pair, there in matched(claimed, stood, _place_of_claimed, _place_of_stood):
        claims, mine = pair or (None, None)
        slice_, life = there or (None, None)
        waiting = mine is not None and mine.waiting
        if life is None or life[1] != "DESTROYED":
            rows = claims[1] if claims is not None else []
            place = _place_of_claimed(pair) if pair else _place_of_stood((slice_, life))
            yield from _faults(place, rows, slice_, waiting=waiting)


def watch_faults(
    held: Iterable[HeldSlice], watched: Iterable[tuple[Place, set[str]]]
) -> Iterator[Fault]:
    """Open blocks whose contact nobody watches, and contacts watched for no open block."""
    for slice_, found in matched(held, watched, lambda s: s.place, lambda w: w[0]):
        claims = found[1] if found is not None else set()
        place = slice_.place if slice_ is not None else found[0] if found else ("", "")
        blocks_ = _open_blocks(slice_)
        own = {c for c, b in blocks_.items() if b.origin is not Origin.SAME_CONTACT}
        for claim_id in sorted(own - claims):
            what = "the contact of an open block is not watched"
            yield _fault("vault", "watched_blocks", place, claim_id, what)
        for claim_id in sorted(claims - own):
            what = "a contact is watched for no open block"
            yield _fault("vault", "watched_blocks", place, claim_id, what)


def _faults(
    place: Place, rows: list[FactRow], slice_: HeldSlice | None, *, waiting: bool
) -> Iterator[Fault]:
    in_force = _open_blocks(slice_)
    open_claims = {row.claim_id for row in rows if _is_open(row)}
    known = {row.claim_id for row in rows if _blocks(row)}
    if not waiting:
        for claim_id in sorted(open_claims - in_force.keys()):
            what = "the claim is open, but blocks nothing in the vault"
            yield _fault("claims", "claim_subjects", place, claim_id, what)
    for claim_id in sorted(in_force.keys() - (known if waiting else open_claims)):
        what = "an open block without an open claim"
        yield _fault("vault", "slices", place, claim_id, what)


def _is_open(row: FactRow) -> bool:
    return row.outcome is None and not row.released and _blocks(row)


def _blocks(row: FactRow) -> bool:
    try:
        return blocks(ClaimKind(row.kind), Claimant(row.claimant))
    except ValueError:
        return False


def _open_blocks(slice_: HeldSlice | None) -> dict[str, Block]:
    if slice_ is None:
        return {}
    try:
        standing = content_of(CLAIMS, slice_.body)
    except Unreadable:
        return {}
    assert isinstance(standing, ClaimsStanding)
    return {block.claim_id: block for block in standing.blocks if block.outcome is None}


def _place_of_claimed(pair: tuple[Claimed | None, PushedSlice | None]) -> Place:
    claims, mine = pair
    if claims is not None:
        return claims[0]
    assert mine is not None
    return mine.place


def _place_of_stood(pair: tuple[HeldSlice | None, tuple[Place, str] | None]) -> Place:
    slice_, life = pair
    if slice_ is not None:
        return slice_.place
    assert life is not None
    return life[0]


def _fault(database: str, table: str, place: Place, claim_id: str, what: str) -> Fault:
    site, subject = place
    return Fault.of(database, table, what, site_id=site, subject_id=subject, claim_id=claim_id)
