# SPDX-License-Identifier: Apache-2.0
"""SQL of what a claim does to its subjects: acts, whole slices, evidence, in one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from services.chassis import evidence
from services.chassis.decider import store as decider_store
from services.chassis.decider.store import Act, Key
from services.chassis.evidence import Entry
from services.chassis.pseudonym import pseudonym_of
from services.chassis.sealed import store as sealed_store
from services.claims import store
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
    return {
        subject_id: decider_store.next_counter(connection, key_of(site_id, subject_id))
        for subject_id in sorted(subject_ids)
    }


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
    act_ids: dict[str, str] = {}
    for position, subject_id in enumerate(claim.subject_ids):
        key, counter = key_of(claim.site_id, subject_id), counters[subject_id]
        act = decider_store.record_act(connection, key, counter, kind, proposal=False, now=now)
        connection.execute(
            insert(claim_acts).values(
                site_id=claim.site_id,
                claim_id=claim.claim_id,
                kind=step or kind,
                position=position,
                act_id=act.act_id,
            )
        )
        body = compose(store.facts_of(connection, claim.site_id, subject_id))
        decider_store.write_slice(connection, key, counter, body, now)
        act_ids[subject_id] = act.act_id
    return act_ids


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
    entries = [
        Entry(
            event=by.event,
            verb=by.verb,
            outcome=outcome,
            site_id=claim.site_id,
            principal=by.principal,
            role=by.role,
            subject=pseudonym_of(connection, claim.site_id, subject_id),
            clause=by.clause,
            refs=_refs(claim, act_ids.get(subject_id)),
            decided_on=decided_on,
            digests=digests,
        )
        for subject_id in claim.subject_ids or ("",)
    ]
    evidence.append_all(connection, entries, now)
    rows = [
        {"site_id": claim.site_id, "claim_id": claim.claim_id, "entry_id": entry.entry_id}
        for entry in entries
    ]
    connection.execute(insert(claim_entries), rows)


def _refs(claim: Claim, act_id: str | None) -> dict[str, str]:
    refs = {"claim_id": claim.claim_id, "number": claim.number}
    return refs | {"act_id": act_id} if act_id else refs


def first_act_id(connection: Connection, site_id: str, claim_id: str, kind: str) -> str:
    """The act of a step for the claim's first subject; empty where it names none."""
    found = connection.execute(
        select(claim_acts.c.act_id).filter_by(
            site_id=site_id, claim_id=claim_id, kind=kind, position=0
        )
    ).scalar_one_or_none()
    return str(found or "")


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
