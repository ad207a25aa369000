# SPDX-License-Identifier: Apache-2.0
"""Rules of what is taken in: data, agreement, consents, orders, links; and of counting it."""

from datetime import datetime

from services.vault.fields import STATED_FIELDS, TECHNICAL_FIELDS, Field
from services.vault.findings import closed, disagreed, held
from services.vault.policy_schedule import PolicySchedule
from services.vault.purposes import CONSENT_CLAUSE
from services.vault.question import Decision, Denial, Life, Permit, Question
from services.vault.standing import Standing


def store(_q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    """New data of the person."""
    return closed(standing) or Permit(STATED_FIELDS, "3.2")


def record_visit(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """Technical data of a visit."""
    return closed(standing) or Permit(TECHNICAL_FIELDS, "3.3")


def store_purchase(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """Lines of a purchase."""
    purchases = frozenset({Field.PURCHASES})
    return closed(standing) or Permit(purchases, "3.4")


def summarize_visits(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """Counting visits."""
    return held(standing) or disagreed(standing) or Permit(TECHNICAL_FIELDS, "3.3.2")


def accept(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    """Acceptance of the policy, expressly or by use."""
    if standing.restricted:
        return Denial("SUBJECT_RESTRICTED", "6.2.3")
    if standing.linked:
        return Denial("SUBJECT_LINKED", "1.1.5")
    if standing.disagreed and not q.explicit:
        return Denial("POLICY_DISAGREED", "2.2")
    return Permit(frozenset(), "2.1")


def grant(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    """An express consent."""
    clause = CONSENT_CLAUSE.get(q.purpose, "4.1")
    return closed(standing) or Permit(frozenset(), clause)


def place_order(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """A new order."""
    return closed(standing) or Permit(frozenset(), "5.2")


def link(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    """A visitor's link to an account."""
    kin = q.kinship
    if kin is None or kin.life is Life.UNKNOWN:
        return Denial("NOT_FOUND", "")
    if kin.life is Life.DESTROYED:
        return Denial("SUBJECT_DESTROYED", "5.1")
    if kin.life is Life.RESTRICTED:
        return Denial("SUBJECT_RESTRICTED", "8.4")
    if standing.restricted or kin.standing.restricted:
        return Denial("SUBJECT_RESTRICTED", "6.2.3")
    if standing.blocked or kin.standing.blocked:
        return Denial("SUBJECT_BLOCKED", "6.2.3")
    if standing.linked or kin.is_visitor or kin.has_visitors:
        return Denial("SUBJECT_LINKED", "1.1.5")
    if kin.full:
        return Denial("STATE_CONFLICT", "1.1.5")
    if standing.disagreed:
        return Denial("POLICY_DISAGREED", "2.2")
    return Permit(frozenset(), "1.1.5")
