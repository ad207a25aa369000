# SPDX-License-Identifier: Apache-2.0
"""SQL of what a claim does to its subjects: acts, whole slices, evidence, in one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, Text, and_, insert, select, update
from sqlalchemy.engine import Connection

from services.chassis import evidence
from services.chassis.arrays import Integers, Texts
from services.chassis.decider import store as decider_store
from services.chassis.decider.store import Act, Key, Slice
from services.chassis.evidence import Entry
from services.chassis.prepared import Prepared, given
from services.chassis.pseudonym import pseudonyms_of
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_facts
from services.claims.claim import Attribution, Claim, ClaimFact
from services.claims.tables import claim_acts, corrections
from services.claims.tables_court import claim_entries

TOPIC = "claims"

Compose = Callable[[Sequence[ClaimFact]], bytes]
"""Makes the canonical bytes of a slice from all that is known of a subject."""


def key_of(site_id: str, subject_id: str) -> Key:
    """The slice of a subject."""
    return Key(TOPIC, site_id, subject_id)


def lock(connection: Connection, site_id: str, subject_ids: Collection[str]) -> Mapping[str, int]:
    """Lock the subjects' slices, in one order for everybody; the counter each will have next."""
    keys = [key_of(site_id, subject_id) for subject_id in subject_ids]
    counters = decider_store.next_counters(connection, keys)
    return {key.subject_id: counter for key, counter in counters.items()}


def lock_claim(
    connection: Connection, claim: Claim, more: Sequence[str] = ()
) -> tuple[Claim, Mapping[str, int]]:
    """Lock a claim with the slices of its subjects and of `more`.

    Returns it as it stands behind the locks, since another officer may have taken a step
    meanwhile, and the counter that each slice will have next.
    """
    counters = lock(connection, claim.site_id, {*claim.subject_ids, *more})
    claim = store.read_claim(connection, claim.site_id, claim.claim_id, lock=True) or claim
    attached = set(claim.subject_ids) - counters.keys()
    return claim, {**counters, **lock(connection, claim.site_id, attached)}


def record(
    connection: Connection,
    claim: Claim,
    counters: Mapping[str, int],
    kind: str,
    compose: Compose,
    now: datetime,
    step: str = "",
) -> Mapping[str, str]:
    """Record an act per subject and write every subject's whole slice; act ids by subject.

    The facts have to stand already, and `lock` to hold every subject's slice. `step` names the
    step where a claim may have several of its kind.
    """
    acts, rows = {}, []
    for position, subject_id in enumerate(claim.subject_ids):
        key, counter = key_of(claim.site_id, subject_id), counters[subject_id]
        act = decider_store.new_act(key, counter, kind, proposal=False, now=now)
        acts[subject_id] = act
        rows.append(ClaimAct(claim, step or kind, position, act.act_id))
    decider_store.record_acts(connection, list(acts.values()))
    insert_acts(connection, rows)
    facts = store_facts.facts_of_all(
        connection, [(claim.site_id, subject_id) for subject_id in claim.subject_ids]
    )
    slices = [
        Slice(act.key, act.counter, compose(facts[claim.site_id, subject_id]))
        for subject_id, act in acts.items()
    ]
    decider_store.write_slices(connection, slices, now)
    return {subject_id: act.act_id for subject_id, act in acts.items()}


@dataclass(frozen=True, slots=True)
class ClaimAct:
    """The act of a claim's `step` for the subject at `position`."""

    claim: Claim
    step: str
    position: int
    act_id: str


_acts = given("new", site_id=Text, claim_id=Text, kind=Text, position=Integer, act_id=Text)
_INSERT_ACTS = Prepared(
    insert(claim_acts).from_select(_acts.columns.keys(), select(*_acts.columns))
)


def insert_acts(connection: Connection, rows: Sequence[ClaimAct]) -> None:
    """Say of which claims recorded acts are."""
    if rows:
        _INSERT_ACTS.run(
            connection,
            site_id=Texts([row.claim.site_id for row in rows]),
            claim_id=Texts([row.claim.claim_id for row in rows]),
            kind=Texts([row.step for row in rows]),
            position=Integers([row.position for row in rows]),
            act_id=Texts([row.act_id for row in rows]),
        )


def append_evidence(
    connection: Connection,
    claim: Claim,
    by: Attribution,
    act_ids: Mapping[str, str],
    decided_on: Mapping[str, object],
    digests: Mapping[str, str],
    now: datetime,
    outcome: str = evidence.DONE,
) -> None:
    """Write an entry per subject, or one where the claim names none. Raises Unavailable."""
    recorded = Recorded(claim, by, act_ids, decided_on, digests)
    append_all_evidence(connection, [recorded], now, outcome)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What evidence says of a step: acts by subject, salted digests by kind of text."""

    claim: Claim
    by: Attribution
    act_ids: Mapping[str, str]
    decided_on: Mapping[str, object]
    digests: Mapping[str, str]


_entries = given("new", site_id=Text, claim_id=Text, entry_id=Text)
_INSERT_ENTRIES = Prepared(
    insert(claim_entries).from_select(_entries.columns.keys(), select(*_entries.columns))
)


def append_all_evidence(
    connection: Connection,
    steps: Sequence[Recorded],
    now: datetime,
    outcome: str = evidence.DONE,
) -> None:
    """The same for steps of many claims, in as many statements."""
    named = {
        (step.claim.site_id, subject_id) for step in steps for subject_id in step.claim.subject_ids
    }
    known = pseudonyms_of(connection, named)
    told = [
        (step.claim, _entry(step, subject_id, known, outcome))
        for step in steps
        for subject_id in step.claim.subject_ids or ("",)
    ]
    evidence.append_all(connection, [entry for _, entry in told], now)
    _INSERT_ENTRIES.run(
        connection,
        site_id=Texts([claim.site_id for claim, _ in told]),
        claim_id=Texts([claim.claim_id for claim, _ in told]),
        entry_id=Texts([entry.entry_id for _, entry in told]),
    )


def _entry(
    step: Recorded, subject_id: str, known: Mapping[tuple[str, str], str], outcome: str
) -> Entry:
    claim, by = step.claim, step.by
    return Entry(
        event=by.event,
        verb=by.verb,
        outcome=outcome,
        site_id=claim.site_id,
        principal=by.principal,
        role=by.role,
        subject=known.get((claim.site_id, subject_id), ""),
        clause=by.clause,
        refs=_refs(claim, step.act_ids.get(subject_id)),
        decided_on=step.decided_on,
        digests=step.digests,
    )


def _refs(claim: Claim, act_id: str | None) -> dict[str, str]:
    refs = {"claim_id": claim.claim_id, "number": claim.number}
    return refs | {"act_id": act_id} if act_id else refs


def first_act_id(connection: Connection, site_id: str, claim_id: str, kind: str) -> str:
    """The act of a step for the claim's first subject; empty where it names none."""
    found = first_act_ids(connection, [(site_id, claim_id)], kind)
    return found.get((site_id, claim_id), "")


# All that a row is known by comes in with the places: a kind by itself would look like something
# rare, and PostgreSQL would go through all acts of that kind.
_places = given("places", site_id=Text, claim_id=Text, kind=Text, position=Integer)
_FIRST_ACTS = Prepared(
    select(claim_acts.c.site_id, claim_acts.c.claim_id, claim_acts.c.act_id).join_from(
        _places, claim_acts, and_(*(claim_acts.c[c.name] == c for c in _places.columns))
    )
)


def first_act_ids(
    connection: Connection, places: Collection[store.Place], kind: str
) -> dict[store.Place, str]:
    """The same for many claims, by (site, claim)."""
    rows = _FIRST_ACTS.rows(
        connection,
        site_id=Texts([site_id for site_id, _ in places]),
        claim_id=Texts([claim_id for _, claim_id in places]),
        kind=Texts([kind] * len(places)),
        position=Integers([0] * len(places)),
    )
    return {(site_id, claim_id): act_id for site_id, claim_id, act_id in rows}


def insert_correction(
    connection: Connection, claim: Claim, subject_id: str, correction_id: str
) -> None:
    """Bind a correction that the vault holds staged to the claim's outcome."""
    connection.execute(
        insert(corrections).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            subject_id=subject_id,
            correction_id=correction_id,
        )
    )


def correction_version(connection: Connection, site_id: str, claim_id: str) -> int | None:
    """The version of the data that the claim's correction made; None: none so far."""
    found = connection.execute(
        select(corrections.c.version).filter_by(site_id=site_id, claim_id=claim_id)
    ).scalar_one_or_none()
    return None if found is None else int(found)


def settle(connection: Connection, ended: Sequence[Act], written: Mapping[str, int]) -> None:
    """What follows when the vault has answered a push.

    `written`: the versions of the data that corrections made, by correction. Of a subject that
    the site turned out not to have, documents go under the key of the claim itself.
    """
    for correction_id, version in written.items():
        connection.execute(
            update(corrections)
            .where(corrections.c.correction_id == correction_id, corrections.c.version.is_(None))
            .values(version=version)
        )
    for act in ended:
        if act.enforcement == decider_store.REFUSED and act.reason == "NOT_FOUND":
            sealed_store.disown(connection, act.key.site_id, act.key.subject_id)
