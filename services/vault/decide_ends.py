# SPDX-License-Identifier: Apache-2.0
"""The rule of destroying and depersonalising (clauses 5.1, 8.3, 8.4)."""

from datetime import datetime

from services.vault.policy_schedule import PolicySchedule
from services.vault.question import Decision, Denial, Operation, Permit, Question
from services.vault.standing import OrderState, Standing


def end(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    """The end of the person's data, destroyed or depersonalised."""
    if standing.blocked:
        return Denial("SUBJECT_BLOCKED", "6.2.3")
    if standing.restricted and q.operation is Operation.DEPERSONALISE:
        return Denial("SUBJECT_RESTRICTED", "6.2.3")
    if standing.holds_in_force:
        return Denial("DESTRUCTION_HELD", "8.3")
    orders = standing.orders.orders if standing.orders else ()
    if any(o.state is OrderState.OPEN for o in orders):
        return Denial("DESTRUCTION_HELD", "5.2")
    if q.retained:
        return Denial("DESTRUCTION_HELD", "8.4")
    return Permit(frozenset(), "5.1")
