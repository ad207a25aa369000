# SPDX-License-Identifier: Apache-2.0
"""Filing a claim and concluding its verification, each written whole: facts, documents, slices
and evidence.

Every function runs in the caller's transaction, after its idempotency key was taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.engine import Connection

from services.chassis.deadline import local_date
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import SealedDocument
from services.claims import store, store_acts
from services.claims.claim import Attribution, Claim, ClaimFact
from services.claims.intake import CLAIMS_PER_SUBJECT, claim_number
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


def file(
    connection: Connection,
    claim: Claim,
    step: Step,
    compose: store_acts.Compose,
    require_room: Callable[[], None] = lambda: None,
) -> None:
    """Write a new claim, whose number is given here.

    `require_room` refuses it, with whatever it raises, once the subjects are locked. Raises
    TooManyClaims, Unavailable.
    """
    now = claim.record_time
    counters = store_acts.lock(connection, claim.site_id, claim.subject_ids)
    require_room()
    sealed_store.insert_documents(connection, step.documents, now)
    year = local_date(now).year
    ordinal = store.next_ordinal(connection, claim.site_id, year)
    claim = replace(claim, number=claim_number(year, ordinal))
    store.insert_claim(connection, claim, step.by.principal)
    act_ids = store_acts.record(connection, claim, counters, step.by.event, _within(compose), now)
    decided_on = {
        "kind": claim.kind,
        "claimant": claim.claimant,
        "blocks": claim.blocks,
        "receiptTime": claim.receipt_time.isoformat(),
        "dueDate": claim.deadline.due_date.isoformat(),
        "calendar": claim.deadline.calendar_version,
        "receiptAwaitsApproval": claim.receipt_awaits,
    }
    store_acts.append_evidence(connection, claim, step.by, act_ids, decided_on, step.digests, now)


def _within(compose: store_acts.Compose) -> store_acts.Compose:
    """The same, for slices that can carry what is said of their subject."""

    def composed(facts: Sequence[ClaimFact]) -> bytes:
        if sum(not fact.same_contact for fact in facts) > CLAIMS_PER_SUBJECT:
            raise TooManyClaims
        return compose(facts)

    return composed


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
