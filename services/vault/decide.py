# SPDX-License-Identifier: Apache-2.0
"""The gate's decision: a pure function of closed enums, standing and time.

`docs/decisions.md` is the table a lawyer reads; a test enumerates the finite
core of this function and compares the two. Whoever changes a rule raises
RULES_VERSION, which every evidence entry names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.vault.fields import (
    NAME_FIELDS,
    STATED_FIELDS,
    TECHNICAL_FIELDS,
    AnyField,
    Field,
    Reach,
)
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
from services.vault.standing import (
    Assignment,
    ConsentFact,
    OpenOrder,
    OrderState,
    RecipientKind,
    Standing,
)

RULES_VERSION: Final = 8


class Operation(StrEnum):
    """What is asked of the gate."""

    READ = "READ"
    READ_FOR_VERIFICATION = "READ_FOR_VERIFICATION"
    READ_FOR_RELEASE = "READ_FOR_RELEASE"
    READ_FOR_AUTHORITY = "READ_FOR_AUTHORITY"
    STORE = "STORE"
    ACCEPT = "ACCEPT"
    GRANT = "GRANT"
    PLACE_ORDER = "PLACE_ORDER"
    FIND_FOR_CASE = "FIND_FOR_CASE"
    OWN_VIEW = "OWN_VIEW"
    RECORD_VISIT = "RECORD_VISIT"
    STORE_PURCHASE = "STORE_PURCHASE"
    SUMMARIZE_VISITS = "SUMMARIZE_VISITS"
    LINK = "LINK"
    AUDIT_VERSIONS = "AUDIT_VERSIONS"
    DESTROY = "DESTROY"
    DEPERSONALISE = "DEPERSONALISE"


class Life(StrEnum):
    """Where the subject is in its life, whatever its slices say."""

    UNKNOWN = "UNKNOWN"
    PRESENT = "PRESENT"
    # Destruction was asked for, and a statutory term keeps the data (Digital Code 41(3)).
    RESTRICTED = "RESTRICTED"
    DESTROYED = "DESTROYED"


# What a restriction by statute leaves possible: to verify a claim, to find its person, to show the
# person their own data, and to end.
_UNDER_RESTRICTION: Final = frozenset(
    {
        Operation.READ_FOR_VERIFICATION,
        Operation.FIND_FOR_CASE,
        Operation.OWN_VIEW,
        Operation.DESTROY,
        Operation.DEPERSONALISE,
    }
)


@dataclass(frozen=True, slots=True)
class Kinship:
    """Whom a visitor is to be linked to: the account as it stands.

    `is_visitor`: the account is the visitor itself, or a visitor of another. `has_visitors`: others
    are linked to the visitor. Either would make a chain. `full`: no more visitors can be linked.
    """

    life: Life
    standing: Standing
    is_visitor: bool = False
    has_visitors: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One thing asked of the gate.

    `purposes_granted` is None where the credential is not limited. `fields`
    is None for all that the purpose reaches. `reference` is an order, case,
    payment, template or claim; `template` the kind of the template it names,
    empty where none of that id is registered. `delivery_id` and `recipient_id` name the
    assignment of a release, `kinship` the account of a link. `retained`: a statutory term keeps
    some of the data. `configured` are the fields of the site's own list that the purpose may read.
    `compelled`: a state body's act is compulsory, and a second person lets the data go on it; where
    the act is the verification of a complaint, `reference` is that claim.
    """

    operation: Operation
    purpose: str = ""
    purposes_granted: frozenset[str] | None = None
    fields: frozenset[AnyField] | None = None
    reference: str = ""
    template: str = ""
    automated_decision: bool = False
    delivery_id: str = ""
    recipient_id: str = ""
    explicit: bool = True
    kinship: Kinship | None = None
    retained: bool = False
    configured: frozenset[Reach] = frozenset()
    compelled: bool = False


@dataclass(frozen=True, slots=True)
class Permit:
    """What may be decrypted, and the clause that permits it; `message`: the order's text too.

    `disputed_since`: the data go although a complaint about them stands, since then.
    """

    fields: frozenset[AnyField]
    clause: str
    message: bool = False
    disputed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason of the contract and the clause behind it."""

    reason: str
    clause: str


Decision = Permit | Denial

# Clause 5.2: the field set of each kind of recipient.
RELEASED_FIELDS: Final = {
    RecipientKind.COURIER: NAME_FIELDS | {Field.PHONE, Field.ADDRESS},
    RecipientKind.POSTAL: NAME_FIELDS | {Field.PHONE, Field.ADDRESS},
    RecipientKind.TELECOM: frozenset({Field.PHONE}),
}


def decide(
    question: Question, life: Life, standing: Standing, schedule: PolicySchedule, now: datetime
) -> Decision:
    """Permit or deny. Total: every question has an answer, and nothing raises."""
    denial = _unanswerable(question)
    if denial is not None:
        return denial
    if life is Life.UNKNOWN:
        return Denial("NOT_FOUND", "")
    if life is Life.DESTROYED:
        return Denial("SUBJECT_DESTROYED", "5.1")
    if life is Life.RESTRICTED and not _reaches_restricted(question, standing):
        return Denial("SUBJECT_RESTRICTED", "8.4")
    return _RULES[question.operation](question, standing, schedule, now)


def _reaches_restricted(question: Question, standing: Standing) -> bool:
    return question.operation in _UNDER_RESTRICTION or _compelled(question, standing)


def _compelled(question: Question, standing: Standing) -> bool:
    """Whether a state body's act opens what is held (5.3; law.md 4.1, Digital Code 41(3))."""
    if question.operation is not Operation.READ_FOR_AUTHORITY or not question.compelled:
        return False
    return not question.reference or _open_block(standing, question.reference)


def _open_block(standing: Standing, claim_id: str) -> bool:
    blocks = standing.claims.blocks if standing.claims else ()
    return any(b.claim_id == claim_id and b.outcome is None for b in blocks)


def _unanswerable(question: Question) -> Denial | None:
    """What is wrong with a question whoever the subject is."""
    if question.operation is Operation.FIND_FOR_CASE and not question.reference:
        return Denial("REFERENCE_REQUIRED", "6.2.3")
    if question.operation is Operation.AUDIT_VERSIONS and not question.reference:
        return Denial("REFERENCE_REQUIRED", "6.1.2")
    return _unreadable(question) if question.operation is Operation.READ else None


def _unreadable(question: Question) -> Denial | None:
    if question.purpose not in PURPOSES:
        return Denial("PURPOSE_UNKNOWN", "4.1")
    rule = PURPOSES[question.purpose]
    if rule.reference is ReferenceRule.CLAIM:
        return Denial("PERMISSION_DENIED", rule.clause)
    granted = question.purposes_granted
    if granted is not None and question.purpose not in granted:
        return Denial("PURPOSE_NOT_GRANTED", "6.2.1")
    return None


def _held(standing: Standing) -> Denial | None:
    if standing.restricted:
        return Denial("SUBJECT_RESTRICTED", "6.2.3")
    if standing.blocked:
        return Denial("SUBJECT_BLOCKED", "6.2.3")
    return None


def _closed(standing: Standing) -> Denial | None:
    """Why nothing new is taken: a linked visitor's data belong to its account (1.1.5)."""
    linked = Denial("SUBJECT_LINKED", "1.1.5") if standing.linked else None
    return _held(standing) or linked or _disagreed(standing)


def _disagreed(standing: Standing) -> Denial | None:
    if standing.disagreed:
        return Denial("POLICY_DISAGREED", "2.2")
    if standing.consent is None or standing.consent.accepted_version is None:
        return Denial("POLICY_NOT_ACCEPTED", "2.1")
    return None


def _read(q: Question, standing: Standing, schedule: PolicySchedule, now: datetime) -> Decision:
    rule = PURPOSES[q.purpose]
    order = _open_order(standing, q.reference)
    for_order = order is not None and q.purpose in ORDER_PURPOSES
    return (
        _held(standing)
        or (None if for_order else _disagreed(standing))
        or _unreferenced(rule, q, standing)
        or _unconsented(rule, q, standing, schedule, now)
        or _reach(rule, q, standing)
    )


def _unreferenced(rule: PurposeRule, q: Question, standing: Standing) -> Denial | None:
    if rule.reference is ReferenceRule.NONE:
        return None
    if rule.reference is ReferenceRule.OPEN_ORDER:
        orders = standing.orders.orders if standing.orders else ()
        if q.reference and _open_order(standing, q.reference) is None:
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


def _read_for_verification(
    q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    if not _open_block(standing, q.reference):
        return Denial("NOT_FOUND", "")
    configured = frozenset(reach.field for reach in q.configured)
    return Permit(PURPOSES["VERIFY_DATA"].fields | configured, "4.1.5")


def _read_for_release(
    q: Question, standing: Standing, _schedule: PolicySchedule, now: datetime
) -> Decision:
    held = _held(standing)
    if held is not None:
        return held
    order = _open_order(standing, q.reference)
    if order is None:
        return Denial("NO_ACTIVE_ORDER", "5.2")
    assignment = _live_assignment(order, q, now)
    if assignment is None:
        return Denial("ORDER_RECIPIENT_MISMATCH", "5.2")
    kind = assignment.recipient_kind
    return Permit(RELEASED_FIELDS[kind], "5.2", message=kind is RecipientKind.TELECOM)


def _read_for_authority(
    q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    held = _held(standing)
    if held is not None and not _compelled(q, standing):
        return held
    return Permit(q.fields or frozenset(), "5.3", disputed_since=standing.disputed_since)


def _live_assignment(order: OpenOrder, q: Question, now: datetime) -> Assignment | None:
    for assignment in order.assignments:
        ended = assignment.ended_time is not None
        expired = assignment.expires_time is not None and assignment.expires_time <= now
        same = (assignment.delivery_id, assignment.recipient_id) == (q.delivery_id, q.recipient_id)
        if same and not ended and not expired:
            return assignment
    return None


def _store(_q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    return _closed(standing) or Permit(STATED_FIELDS, "3.2")


def _record_visit(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    return _closed(standing) or Permit(TECHNICAL_FIELDS, "3.3")


def _store_purchase(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    purchases = frozenset({Field.PURCHASES})
    return _closed(standing) or Permit(purchases, "3.4")


def _summarize_visits(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    return _held(standing) or _disagreed(standing) or Permit(TECHNICAL_FIELDS, "3.3.2")


def _accept(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    if standing.restricted:
        return Denial("SUBJECT_RESTRICTED", "6.2.3")
    if standing.linked:
        return Denial("SUBJECT_LINKED", "1.1.5")
    if standing.disagreed and not q.explicit:
        return Denial("POLICY_DISAGREED", "2.2")
    return Permit(frozenset(), "2.1")


def _grant(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
    clause = CONSENT_CLAUSE.get(q.purpose, "4.1")
    return _closed(standing) or Permit(frozenset(), clause)


def _place_order(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    return _closed(standing) or Permit(frozenset(), "5.2")


def _link(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
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


def _find_for_case(
    _q: Question, _standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    return Permit(frozenset(), "6.2.3")


def _audit_versions(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    return _held(standing) or Permit(STATED_FIELDS, "6.1.2")


def _end(q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime) -> Decision:
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


def _own_view(
    _q: Question, _standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    # Showing the person their own data is none of what a block stops (law.md 4.2).
    return Permit(frozenset(Field), "6.1.3")


def _open_order(standing: Standing, order_id: str) -> OpenOrder | None:
    orders = standing.orders.orders if standing.orders else ()
    for order in orders:
        if order.order_id == order_id and order.state is OrderState.OPEN:
            return order
    return None


def _latest_fact(standing: Standing, purpose: str) -> ConsentFact | None:
    facts = standing.consent.consents if standing.consent else ()
    return max(
        (f for f in facts if f.purpose == purpose), key=lambda f: f.granted_time, default=None
    )


_Rule = Callable[[Question, Standing, PolicySchedule, datetime], Decision]
_RULES: Final[dict[Operation, _Rule]] = {
    Operation.READ: _read,
    Operation.READ_FOR_VERIFICATION: _read_for_verification,
    Operation.READ_FOR_RELEASE: _read_for_release,
    Operation.READ_FOR_AUTHORITY: _read_for_authority,
    Operation.STORE: _store,
    Operation.ACCEPT: _accept,
    Operation.GRANT: _grant,
    Operation.PLACE_ORDER: _place_order,
    Operation.FIND_FOR_CASE: _find_for_case,
    Operation.OWN_VIEW: _own_view,
    Operation.RECORD_VISIT: _record_visit,
    Operation.STORE_PURCHASE: _store_purchase,
    Operation.SUMMARIZE_VISITS: _summarize_visits,
    Operation.LINK: _link,
    Operation.AUDIT_VERSIONS: _audit_versions,
    Operation.DESTROY: _end,
    Operation.DEPERSONALISE: _end,
}
