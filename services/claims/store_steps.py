# SPDX-License-Identifier: Apache-2.0
"""Concluding the verification of a claim, written whole: facts, documents, slices and evidence.

Every function runs in the caller's transaction, after its idempotency key was taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.engine import Connection

from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import SealedDocument
from services.claims import store, store_acts
from services.claims.claim import Attribution, Claim
from services.claims.state import ClaimAct, Outcome, transition
from services.claims.tables import verifications


class TooManyClaims(Exception):
    """A subject has as many claims as one slice can carry."""


@dataclass(frozen=True, slots=True)
class Step:
    """What every step leaves: who did it, the sealed texts, and their salted digests."""

    by: Attribution
    documents: Sequence[SealedDocument]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The end of a verification; it corrects `subject_id`, or nobody where that is empty."""

    outcome: Outcome
    subject_id: str
    correction_id: str


def conclude(
    connection: Connection,
    claim: Claim,
    conclusion: Conclusion,
    step: Step,
    compose: store_acts.Compose,
    now: datetime,
) -> None:
    """Write the outcome of a verification. Raises IllegalTransition, Unavailable."""
    claim, counters = store_acts.lock_claim(connection, claim)
    outcome = conclusion.outcome
    state = transition(claim.state, ClaimAct.CONCLUDE_VERIFICATION, claim.verification)
    store.write_outcome(connection, claim, state, outcome)
    if conclusion.correction_id:
        store_acts.insert_correction(
            connection, claim, conclusion.subject_id, conclusion.correction_id
        )
    connection.execute(
        insert(verifications).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            outcome=outcome,
            concluded_by=step.by.principal,
            record_time=now,
        )
    )
    sealed_store.insert_documents(connection, step.documents, now)
    act_ids = store_acts.record(connection, claim, counters, step.by.event, compose, now)
    decided_on: dict[str, object] = {"outcome": outcome}
    if conclusion.correction_id:
        decided_on["correction"] = conclusion.correction_id
    store_acts.append_evidence(connection, claim, step.by, act_ids, decided_on, step.digests, now)
