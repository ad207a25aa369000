# SPDX-License-Identifier: Apache-2.0
"""Every version of the data is on record, and what was recorded is there (clauses 3.2, 6.1.2, 7.3).

An entry names the version and the fields it changed; a correction is on record by its claim.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_keys import OwnerRow
from cli.consistency.store_vault import Sealed, SubjectRow

_BY_VERIFICATION = "VERIFICATION"


@dataclass(frozen=True, slots=True)
class Written:
    """All data of a subject, present and past, and the versions that corrections wrote."""

    place: tuple[str, str]
    rows: list[Sealed] = field(repr=False)
    corrected: frozenset[int]


def written_data(
    subjects: Iterable[SubjectRow],
    current: Iterable[Sealed],
    former: Iterable[Sealed],
    corrected: Iterable[tuple[tuple[str, str], int]],
) -> Iterator[Written]:
    """The data of every subject; all four by (site, subject)."""
    present = gathered(current, lambda each: (each.site, each.owner))
    past = gathered(former, lambda each: (each.site, each.owner))
    versions = gathered(corrected, lambda each: each[0])
    people = matched(subjects, present, lambda s: (s.site, s.subject), lambda g: g[0])
    known = ((subject, now) for subject, now in people if subject is not None)
    before = matched(known, past, lambda p: (p[0].site, p[0].subject), lambda g: g[0])
    lives = ((pair, then) for pair, then in before if pair is not None)
    whole = matched(lives, versions, lambda p: (p[0][0].site, p[0][0].subject), lambda g: g[0])
    for life, applied in whole:
        if life is None:
            continue
        (subject, now), then = life
        rows = [*(now[1] if now else []), *(then[1] if then else [])]
        numbers = frozenset(version for _, version in applied[1]) if applied else frozenset()
        yield Written((subject.site, subject.subject), rows, numbers)


def named(written: Iterable[Written], owners: Iterable[OwnerRow]) -> Iterator[tuple[Written, str]]:
    """Subjects with their names in evidence; whoever has no key has no name any more."""
    for each, owner in matched(written, owners, lambda w: w.place, lambda o: (o.site, o.owner)):
        if each is not None and owner is not None:
            yield each, owner.pseudonym


def write_faults(written: Written, bodies: Iterable[str]) -> Iterator[Fault]:
    """Data that no entry tells of, and entries that tell of data which are not there."""
    told = _told(bodies)
    there = {(each.version, each.name) for each in written.rows}
    # What a version cleared leaves the end of the value before it, and no value.
    touched = there | {(each.end_version or 0, each.name) for each in written.rows}
    for each in written.rows:
        by_verification = each.supplier == _BY_VERIFICATION
        if by_verification and each.version not in written.corrected:
            yield Fault("vault", each.table, each.key, "no correction was written as its version")
        elif not by_verification and (each.version, each.name) not in told:
            yield Fault("vault", each.table, each.key, "no evidence entry tells that it was stored")
    for version, name in sorted(told - touched):
        yield _missing(written, name, version, "evidence tells of it, but it is not there")
    for version in sorted(written.corrected - {version for version, _ in touched} - {0}):
        yield _missing(written, "any", version, "a correction was written as it, but is not there")


def _told(bodies: Iterable[str]) -> set[tuple[int, str]]:
    told: set[tuple[int, str]] = set()
    for body in bodies:
        try:
            decided_on = json.loads(body)["decidedOn"]
            told |= {(int(decided_on["dataVersion"]), str(f)) for f in decided_on["fields"]}
        except (ValueError, KeyError, TypeError):
            # Another check names the entry.
            continue
    return told


def _missing(written: Written, name: str, version: int, what: str) -> Fault:
    site, subject = written.place
    return Fault.of(
        "vault", "data", what, site_id=site, subject_id=subject, field=name, version=version
    )
