# SPDX-License-Identifier: Apache-2.0
"""Rules of the reads that name a purpose (clauses 4.1, 6.2.1)."""

from datetime import datetime

from services.vault.fields import AnyField
from services.vault.findings import disagreed, held, open_order
from services.vault.policy_schedule import PolicySchedule
from services.vault.purposes import (
    AUTOMATED_DECISION,
    CONSENT_CLAUSE,
    ORDER_PURPOSES,
    PURPOSES,
    SERVICE_TEMPLATE,
    PurposeRule,
    ReferenceRule,
)
from services.vault.question import Decision, Denial, Permit, Question
from services.vault.standing import ConsentFact, OrderState, Standing


def unreadable(question: Question) -> Denial | None:
    """What is wrong with a read of this purpose whoever the subject is."""
    if question.purpose not in PURPOSES:
        return Denial("PURPOSE_UNKNOWN", "4.1")
    rule = PURPOSES[question.purpose]
    if rule.reference is ReferenceRule.CLAIM:
        return Denial("PERMISSION_DENIED", rule.clause)
    granted = question.purposes_granted
    if granted is not None and question.purpose not in granted:
        return Denial("PURPOSE_NOT_GRANTED", "6.2.1")
    return None


def read(q: Question, standing: Standing, schedule: PolicySchedule, now: datetime) -> Decision:
    """A read for one of the purposes that a caller may name."""
    rule = PURPOSES[q.purpose]
    order = open_order(standing, q.reference)
    for_order = order is not None and q.purpose in ORDER_PURPOSES
    return (
        held(standing)
        or (None if for_order else disagreed(standing))
        or _unreferenced(rule, q, standing)
        or _unconsented(rule, q, standing, schedule, now)
        or _reach(rule, q, standing)
    )


def _unreferenced(rule: PurposeRule, q: Question, standing: Standing) -> Denial | None:
    if rule.reference is ReferenceRule.NONE:
        return None
    if rule.reference is ReferenceRule.OPEN_ORDER:
        orders = standing.orders.orders if standing.orders else ()
        if q.reference and open_order(standing, q.reference) is None:
            return Denial("NO_ACTIVE_ORDER", rule.clause)
        if not any(o.state is OrderState.OPEN for o in orders):
            return Denial("NO_ACTIVE_ORDER", rule.clause)
    wrong = rule.reference is ReferenceRule.TEMPLATE and q.template != SERVICE_TEMPLATE
    return Denial("REFERENCE_REQUIRED", rule.clause) if wrong or not q.reference else None


def _unconsented(
    rule: PurposeRule, q: Question, standing: Standing, schedule: PolicySchedule, now: datetime
) -> Denial | None:
    needed = _consent_needed(rule, q)
    if not needed:
        return None
    clause = CONSENT_CLAUSE[needed]
    fact = _latest_fact(standing, needed)
    if fact is None:
        return Denial("CONSENT_REQUIRED", clause)
    by_disagreement = standing.consent and standing.consent.ended_by_disagreement(fact)
    if by_disagreement or not fact.in_force(now):
        return Denial("CONSENT_WITHDRAWN", clause)
    if schedule.outdated(needed, fact.policy_version, now):
        return Denial("CONSENT_REQUIRED", clause)
    return None


def _consent_needed(rule: PurposeRule, q: Question) -> str:
    """The express consent that a read needs; empty where it needs none."""
    if rule.code == "PAYMENT" and q.automated_decision:
        return AUTOMATED_DECISION
    return rule.code if rule.express_consent else ""


def _reach(rule: PurposeRule, q: Question, standing: Standing) -> Decision:
    reached = rule.fields | _configured(rule, q, standing)
    if q.fields is None:
        return Permit(reached, rule.clause)
    if not q.fields <= reached:
        return Denial("FIELD_NOT_PERMITTED", "6.2.1")
    return Permit(q.fields, rule.clause)


def _configured(rule: PurposeRule, q: Question, standing: Standing) -> frozenset[AnyField]:
    """An express consent reaches what the policy listed when it was given (T-9.1-b)."""
    needed = _consent_needed(rule, q)
    fact = _latest_fact(standing, needed) if needed else None
    return frozenset(
        reach.field
        for reach in q.configured
        if fact is None or reach.policy_version <= fact.policy_version
    )


def _latest_fact(standing: Standing, purpose: str) -> ConsentFact | None:
    facts = standing.consent.consents if standing.consent else ()
    return max(
        (f for f in facts if f.purpose == purpose), key=lambda f: f.granted_time, default=None
    )
