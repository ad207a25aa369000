# SPDX-License-Identifier: Apache-2.0
"""Writing an answer and its dispatch, each written whole: facts, documents and evidence (8.2).

Every function runs in the caller's transaction, on a claim that the caller has locked.
"""

from datetime import datetime

from sqlalchemy.engine import Connection

from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_answers, store_tasks, store_term
from services.claims.answer import Letter
from services.claims.claim import Claim
from services.claims.state import ClaimAct, Dispatch, IllegalTransition, transition
from services.claims.store_steps import Step
from services.claims.store_tasks import TaskKind


def write(connection: Connection, claim: Claim, letter: Letter, step: Step) -> None:
    """Write the letter of a claim, its only one. Raises IllegalTransition, Unavailable."""
    state = transition(claim.state, ClaimAct.WRITE_ANSWER, claim.verification)
    if store_answers.read_letter(connection, claim.site_id, claim.claim_id) is not None:
        # A claim that lapsed stays so until its letter has left.
        raise IllegalTransition(claim.state, ClaimAct.WRITE_ANSWER, claim.verification)
    store.write_state(connection, claim, state)
    store_answers.insert_letter(connection, letter)
    sealed_store.insert_documents(connection, step.documents, letter.write_time)
    decided_on = {
        "decision": letter.decision,
        "letter": letter.number,
        "sha256": letter.sha256,
        "dueDate": claim.deadline.due_date.isoformat(),
    }
    store_acts.append_evidence(
        connection, claim, step.by, {}, decided_on, step.digests, letter.write_time
    )


def dispatch(
    connection: Connection,
    claim: Claim,
    letter: Letter,
    given: Dispatch,
    step: Step,
    now: datetime,
) -> None:
    """Write that the letter left: the claim is answered. Raises IllegalTransition, Unavailable."""
    if given.time is None:
        raise ValueError("a dispatch that is whole has a time")
    state = transition(claim.state, ClaimAct.DISPATCH_ANSWER, claim.verification)
    store.write_decision(connection, claim, state, letter.decision, given.time)
    store_answers.insert_dispatch(connection, letter, given.channel, given.time, now)
    store.write_alarm(connection, claim, None)
    store_term.drop_waiting_receipt(connection, claim, now)
    for kind in (TaskKind.ANSWER_CLAIM, TaskKind.TELL_NO_ANSWER):
        store_tasks.done(connection, claim.site_id, claim.claim_id, kind, now)
    sealed_store.insert_documents(connection, step.documents, now)
    decided_on = {
        "decision": letter.decision,
        "letter": letter.number,
        "channel": given.channel,
        "dispatchTime": given.time.isoformat(),
        "dueDate": claim.deadline.due_date.isoformat(),
    }
    store_acts.append_evidence(connection, claim, step.by, {}, decided_on, step.digests, now)
