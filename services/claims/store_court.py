# SPDX-License-Identifier: Apache-2.0
"""Ending a dispute, written whole: state, holds, slices, documents, evidence (clauses 8.1, 8.3).

Functions run in the caller's transaction, after its idempotency key was taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from services.chassis.evidence import entries
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_term
from services.claims.claim import Claim
from services.claims.state import END_ACTS, EndKind, transition
from services.claims.store_steps import Step
from services.claims.store_verification import Desk
from services.claims.tables_court import claim_ends, claim_entries


@dataclass(frozen=True, slots=True)
class End:
    """One end of a claim, and who recorded it."""

    kind: EndKind
    recorded_by: str
    record_time: datetime


def end(
    connection: Connection, claim: Claim, kind: EndKind, step: Step, desk: Desk
) -> Mapping[str, str]:
    """Record it; the acts that bring the holds into force. Raises IllegalTransition."""
    claim, counters = store_acts.lock_claim(connection, claim)
    state = transition(claim.state, END_ACTS[kind], claim.verification)
    store.write_state(connection, claim, state)
    store_term.drop_waiting_receipt(connection, claim, desk.now)
    connection.execute(
        insert(claim_ends).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            kind=kind,
            recorded_by=step.by.principal,
            record_time=desk.now,
        )
    )
    sealed_store.insert_documents(connection, step.documents, desk.now)
    act_ids = store_acts.record(connection, claim, counters, step.by.event, desk.compose, desk.now)
    store_acts.append_evidence(
        connection, claim, step.by, act_ids, {"state": state}, step.digests, desk.now
    )
    return act_ids


def entries_of(connection: Connection, site_id: str, claim_id: str) -> list[tuple[datetime, str]]:
    """(record time, body) of the entries of evidence of a claim, the oldest first."""
    rows = connection.execute(
        select(entries.c.record_time, entries.c.body)
        .join(claim_entries, claim_entries.c.entry_id == entries.c.entry_id)
        .where(claim_entries.c.site_id == site_id, claim_entries.c.claim_id == claim_id)
        .order_by(entries.c.record_time, entries.c.entry_id)
    )
    return [(row.record_time, row.body) for row in rows]
