# SPDX-License-Identifier: Apache-2.0
"""SQL of the term of a claim whose time of receipt changes (clauses 6.2.3, 8.1, 8.2).

Every function runs in the caller's transaction, on a claim that the caller has locked.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection

from services.chassis.deadline import Deadline
from services.claims import store, store_answers, store_clock, store_settling, store_tasks
from services.claims.answer import Sending
from services.claims.claim import Claim
from services.claims.notice import NoticeKind
from services.claims.state import ClaimAct, ClaimState, transition
from services.claims.store_tasks import TaskKind


def receive(
    connection: Connection, claim: Claim, receipt_time: datetime, deadline: Deadline, now: datetime
) -> None:
    """The claim was received then. A term that turns out not to have passed runs on."""
    if claim.state is ClaimState.NO_ANSWER and not deadline.has_passed(now):
        claim = _resume(connection, claim, now)
    store.write_receipt(connection, claim, receipt_time, deadline, now)


def drop_waiting_receipt(connection: Connection, claim: Claim, now: datetime) -> None:
    """Whoever waited for an answer waits no more: another time of receipt has nothing to change."""
    waiting = store_settling.awaiting_receipt(connection, claim)
    if waiting is None or waiting.receipt_time == claim.receipt_time:
        # A time that runs already may still be confirmed.
        return
    store_settling.replace_waiting(connection, claim)
    store.write_receipt_awaits(connection, claim, awaits=False)
    _done(connection, claim, TaskKind.CONFIRM_RECEIPT_TIME, now)


def _resume(connection: Connection, claim: Claim, now: datetime) -> Claim:
    place = (claim.site_id, claim.claim_id)
    state = transition(claim.state, ClaimAct.RESUME, claim.verification)
    if store_answers.read_letter(connection, *place) is not None:
        state = transition(state, ClaimAct.WRITE_ANSWER, claim.verification)
    store.write_state(connection, claim, state)
    _done(connection, claim, TaskKind.TELL_NO_ANSWER, now)
    notice = store_clock.read_notice(connection, place, NoticeKind.NO_ANSWER, lock=True)
    if notice is not None and notice.sending is Sending.UNDER_WAY:
        # It would tell the claimant what is not so.
        withheld = replace(notice, sending=Sending.NOT_BY_EMAIL)
        store_clock.write_notice(connection, claim, withheld)
    return replace(claim, state=state)


def _done(connection: Connection, claim: Claim, kind: TaskKind, now: datetime) -> None:
    store_tasks.done(connection, claim.site_id, claim.claim_id, kind, now)
