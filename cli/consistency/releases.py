# SPDX-License-Identifier: Apache-2.0
"""What the broker says left is what the vault gave out, on record on both sides (5.2; I3)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_disclosure import ReleaseRow
from services.disclosure.release import ReleaseState

_LEFT = (ReleaseState.RELEASED, ReleaseState.RELEASED_UNCERTAIN)
# The vault gave the data out; of what is withheld nothing left the broker.
_GIVEN = (*_LEFT, ReleaseState.WITHHELD)
_LINES = {
    ReleaseState.RELEASED: ("RELEASED", "REPEAT"),
    ReleaseState.RELEASED_UNCERTAIN: ("RELEASED_UNCERTAIN",),
    ReleaseState.REFUSED: ("", "REFUSED"),
    ReleaseState.WITHHELD: ("", "REFUSED"),
}
Entry = tuple[str, str, str]
"""(site, release, entry)"""


def release_faults(broker: Iterable[ReleaseRow], vault: Iterable[Entry]) -> Iterator[Fault]:
    """Releases on which broker and vault do not agree; both by (site, release)."""
    for mine, given in matched(broker, vault, lambda r: (r.site, r.release_id), lambda e: e[:2]):
        if mine is None:
            if given is not None:
                what = "the broker has no release of this id"
                yield _fault("vault", "release_entries", given[0], given[1], what)
            continue
        what = _own_fault(mine) or _vault_fault(mine, given[2] if given else "")
        if what:
            yield _fault("disclosure", "releases", mine.site, mine.release_id, what)


def proof_faults(
    database: str, table: str, left: Iterable[tuple[str, str, str]], proofs: Iterable[Entry]
) -> Iterator[Fault]:
    """What left without an evidence entry that permits it; both by (site, release).

    `left` names the entry that has to be among the proofs; empty where any will do.
    """
    permits = gathered(proofs, lambda entry: entry[:2])
    for release, group in matched(left, permits, lambda r: r[:2], lambda g: g[0]):
        if release is None:
            continue
        entries = {entry[2] for entry in group[1]} if group is not None else set()
        if not entries or (release[2] and release[2] not in entries):
            what = "no evidence entry permits it"
            yield _fault(database, table, release[0], release[1], what)


def ledger_faults(
    broker: Iterable[ReleaseRow], lines: Iterable[tuple[str, str]]
) -> Iterator[Fault]:
    """Lines of the ledger of releases that never were; both by (site, id)."""
    for release, line in matched(broker, lines, lambda r: (r.site, r.release_id), lambda x: x):
        if release is None and line is not None:
            what = "no release stands behind the line"
            yield Fault.of(
                "disclosure", "disclosures", what, site_id=line[0], disclosure_id=line[1]
            )


def _own_fault(mine: ReleaseRow) -> str:
    if mine.state not in ReleaseState.__members__:
        return "nobody knows this state"
    if mine.ended == (mine.state == ReleaseState.PREPARED):
        return "state and end do not agree"
    if bool(mine.entry_id) != (mine.state in _GIVEN):
        return "state and entry do not agree"
    if mine.line not in _LINES.get(ReleaseState(mine.state), ("",)):
        return "the ledger's line does not say the same"
    return ""


def _vault_fault(mine: ReleaseRow, entry_id: str) -> str:
    if mine.state == ReleaseState.PREPARED:
        # The reconciler ends it by what the vault has.
        return ""
    if mine.state not in _GIVEN:
        return "the vault gave data out, the broker says that nothing left" if entry_id else ""
    if not entry_id:
        return "the vault has no entry that gave anything out for it"
    if entry_id != mine.entry_id:
        return "the vault gave data out under another entry"
    return ""


def _fault(database: str, table: str, site: str, release_id: str, what: str) -> Fault:
    return Fault.of(database, table, what, site_id=site, release_id=release_id)
