# SPDX-License-Identifier: Apache-2.0
"""Evidence is whole: entries in their one form, and one behind all that names one (1.1.3)."""

import json
from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import Reference, dangling, gathered, matched
from cli.consistency.store_evidence import EntryRow
from services.chassis.decider.store import IN_FORCE, REFUSED
from services.chassis.evidence import instant

_COLUMNS = ("entryId", "siteId", "event", "outcome", "subject", "recordTime", "secretUntil")


def entry_faults(database: str, entries: Iterable[EntryRow]) -> Iterator[Fault]:
    """Entries whose body is not in its one form or not what the columns say; by id."""
    before = ""
    for entry in entries:
        what = "two entries have this id" if entry.entry_id == before else _fault(entry)
        before = entry.entry_id
        if what:
            yield Fault.of(database, "evidence_entries", what, entry_id=entry.entry_id)


def act_faults(
    database: str,
    acts: Iterable[tuple[str, str, str]],
    entries: Iterable[tuple[str, str]],
) -> Iterator[Fault]:
    """Acts that no entry records, or whose end none does; both by act."""
    recorded = gathered(entries, lambda entry: entry[0])
    for act, group in matched(acts, recorded, lambda a: a[0], lambda g: g[0]):
        events = {event for _, event in group[1]} if group is not None else set()
        if act is None:
            if group is not None:
                what = "evidence names this act, which is not there"
                yield Fault.of(database, "acts", what, act_id=group[0])
            continue
        act_id, kind, enforcement = act
        ends = {IN_FORCE: f"{kind}_in_force", REFUSED: f"{kind}_refused"}
        if kind not in events:
            yield Fault.of(database, "acts", "no evidence entry records the act", act_id=act_id)
        elif ends.get(enforcement, kind) not in events:
            what = f"no evidence entry records that the act is {enforcement}"
            yield Fault.of(database, "acts", what, act_id=act_id)


def dangling_faults(
    database: str, references: Iterable[Reference], targets: Iterable[str], target: str
) -> Iterator[Fault]:
    """References to a `target` that is not there; both by target."""
    what = f"the {target} that it names is not there"
    for reference in dangling(references, targets):
        yield Fault(database, reference.table, reference.key, what)


def _fault(entry: EntryRow) -> str:
    try:
        members = json.loads(entry.body)
        form = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return "the body is no JSON"
    if form != entry.body or not isinstance(members, dict):
        return "the body is not canonical JSON"
    told = (entry.entry_id, entry.site, entry.event, entry.outcome, entry.subject)
    times = [instant(t) if t else "" for t in (entry.record_time, entry.secret_until)]
    for name, column in zip(_COLUMNS, (*told, *times), strict=True):
        if members.get(name, "") != column:
            return f"the column of {name} is not what the body says"
    return ""
