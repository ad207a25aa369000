# SPDX-License-Identifier: Apache-2.0
"""Whoever was destroyed is gone from both databases, and nobody else is (clause 5.1)."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_destructions import End, Place, Stone
from services.vault.destruction import digest


def end_faults(ends: Iterable[End], stones: Iterable[Stone]) -> Iterator[Fault]:
    """Ends that only one of the databases knows, and keys of the dead; both by place."""
    gone = (end for end in ends if end.life == "DESTROYED" or end.state == "DONE")
    for end, stone in matched(gone, stones, lambda e: e.place, lambda s: s.place):
        if stone is None:
            assert end is not None
            yield _fault("vault", "subjects", end.place, "is destroyed, and has no tombstone")
        elif end is None:
            what = "has a tombstone, and is not destroyed in the vault"
            yield _stone_fault("tombstones", stone, what)
        else:
            yield from _both(end, stone)
        if stone is not None and stone.has_key:
            yield _stone_fault("data_keys", stone, "the key of somebody who has a tombstone")


def _both(end: End, stone: Stone) -> Iterator[Fault]:
    if end.life != "DESTROYED":
        yield _fault("vault", "subjects", end.place, "was destroyed, and is alive again")
    if end.state != "DONE":
        what = "is destroyed, and no certificate stands for it"
        yield _fault("vault", "destructions", end.place, what)
    elif end.document != stone.document:
        what = "the certificate is not the one of the tombstone"
        yield _fault("vault", "destructions", end.place, what)


def remains_faults(remains: Iterable[tuple[str, Place]]) -> Iterator[Fault]:
    """What is left of the dead."""
    for table, place in remains:
        yield _fault("vault", table, place, "is left of somebody who was destroyed")


def certificate_faults(
    ends: Iterable[End], bodies: Callable[[list[str]], Mapping[str, str]]
) -> Iterator[Fault]:
    """Certificates that their evidence does not bear out; `bodies` are entries by their ids."""
    for end in ends:
        if end.state != "DONE":
            continue
        body = bodies([end.entry_id]).get(end.entry_id, "{}")
        try:
            recorded = json.loads(body).get("digests", {}).get("certificate", "")
        except (ValueError, AttributeError):
            recorded = ""
        if recorded != digest(end.document):
            what = "no evidence entry holds the digest of the certificate"
            yield _fault("vault", "destructions", end.place, what)


def restriction_faults(ends: Iterable[End], restricted: Iterable[Place]) -> Iterator[Fault]:
    """Restrictions by statute that only one of the databases knows; both by place."""
    kept = (end for end in ends if end.life == "RESTRICTED")
    for end, place in matched(kept, restricted, lambda e: e.place, lambda p: p):
        if place is None and end is not None:
            what = "is restricted, and the key store does not know of it"
            yield _fault("vault", "subjects", end.place, what)
        elif end is None and place is not None:
            site, owner = place
            what = "is restricted, and the vault does not know of it"
            yield Fault.of("keystore", "restrictions", what, site_id=site, owner_id=owner)


def _fault(database: str, table: str, place: Place, what: str) -> Fault:
    return Fault.of(database, table, what, site_id=place[0], subject_id=place[1])


def _stone_fault(table: str, stone: Stone, what: str) -> Fault:
    site, owner = stone.place
    return Fault.of("keystore", table, what, site_id=site, owner_id=owner)
