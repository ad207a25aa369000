# SPDX-License-Identifier: Apache-2.0
"""Describing a recovered claim, written whole: what it is, its due date, documents, evidence.

In the caller's transaction, after its idempotency key was taken.
"""

from sqlalchemy.engine import Connection

from services.chassis.deadline import due
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_recovery, store_settling
from services.claims.authority import AuthorityState
from services.claims.claim import Claim
from services.claims.recovery import RecoveryState
from services.claims.state import Claimant, ClaimKind
from services.claims.store_steps import Step
from services.claims.store_tasks import TaskKind, done, give
from services.claims.store_verification import Acts, Desk, NotOpen


def describe(
    connection: Connection,
    claim: Claim,
    found: tuple[ClaimKind, Claimant, str],
    step: Step,
    desk: Desk,
) -> Acts:
    """`found`: its kind, who filed it, its language. Raises NotOpen, Unavailable."""
    claim, _ = store_acts.lock_claim(connection, claim)
    if claim.recovery is not RecoveryState.FOUND:
        raise NotOpen
    former = claim
    claim = store_recovery.describe(connection, claim, *found)
    deadline = due(claim.receipt_time, claim.term_days, desk.calendar)
    if deadline != claim.deadline:
        store.write_receipt(connection, claim, claim.receipt_time, deadline, desk.now)
    if claim.claimant is Claimant.REPRESENTATIVE and claim.authority is None:
        state = AuthorityState.UNSETTLED
        store.write_authority(connection, claim, state)
        store_settling.write_authority(connection, claim, state, None, None, None)
        give(connection, desk.task(claim, TaskKind.SETTLE_AUTHORITY))
    done(connection, claim.site_id, claim.claim_id, TaskKind.RECOVERED_CLAIM, desk.now)
    sealed_store.insert_documents(connection, step.documents, desk.now)
    decided_on = {
        "kind": claim.kind,
        "claimant": claim.claimant,
        "language": claim.language,
        "dueDate": deadline.due_date.isoformat(),
        "formerDueDate": former.deadline.due_date.isoformat(),
        "calendar": deadline.calendar_version,
    }
    store_acts.append_evidence(connection, claim, step.by, {}, decided_on, step.digests, desk.now)
    return {}
