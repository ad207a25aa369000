# SPDX-License-Identifier: Apache-2.0
"""Rules of what leaves the house: to recipients and state bodies (clauses 5.2, 5.3)."""

from datetime import datetime
from typing import Final

from services.vault.fields import NAME_FIELDS, Field
from services.vault.findings import held, open_block, open_order
from services.vault.policy_schedule import PolicySchedule
from services.vault.question import Decision, Denial, Operation, Permit, Question
from services.vault.standing import Assignment, OpenOrder, RecipientKind, Standing

# Clause 5.2: the field set of each kind of recipient.
RELEASED_FIELDS: Final = {
    RecipientKind.COURIER: NAME_FIELDS | {Field.PHONE, Field.ADDRESS},
    RecipientKind.POSTAL: NAME_FIELDS | {Field.PHONE, Field.ADDRESS},
    RecipientKind.TELECOM: frozenset({Field.PHONE}),
}


def read_for_release(
    q: Question, standing: Standing, _schedule: PolicySchedule, now: datetime
) -> Decision:
    """What the recipient of an open order gets (5.2)."""
    against = held(standing)
    if against is not None:
        return against
    order = open_order(standing, q.reference)
    if order is None:
        return Denial("NO_ACTIVE_ORDER", "5.2")
    assignment = _live_assignment(order, q, now)
    if assignment is None:
        return Denial("ORDER_RECIPIENT_MISMATCH", "5.2")
    kind = assignment.recipient_kind
    return Permit(RELEASED_FIELDS[kind], "5.2", message=kind is RecipientKind.TELECOM)


def _live_assignment(order: OpenOrder, q: Question, now: datetime) -> Assignment | None:
    for assignment in order.assignments:
        ended = assignment.ended_time is not None
        expired = assignment.expires_time is not None and assignment.expires_time <= now
        same = (assignment.delivery_id, assignment.recipient_id) == (q.delivery_id, q.recipient_id)
        if same and not ended and not expired:
            return assignment
    return None


def read_for_authority(
    q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """What a state body gets on an approved request (5.3)."""
    against = held(standing)
    if against is not None and not compelled(q, standing):
        return against
    return Permit(q.fields or frozenset(), "5.3", disputed_since=standing.disputed_since)


def compelled(question: Question, standing: Standing) -> bool:
    """Whether a state body's act opens what is held (5.3; law.md 4.1, Digital Code 41(3))."""
    if question.operation is not Operation.READ_FOR_AUTHORITY or not question.compelled:
        return False
    return not question.reference or open_block(standing, question.reference)
