# SPDX-License-Identifier: Apache-2.0
"""The gate's decision: a pure function of closed enums, standing and time.

`docs/decisions.md` is the table a lawyer reads; a test enumerates the finite
core of this function and compares the two. Whoever changes a rule raises
RULES_VERSION, which every evidence entry names. The rules of the operations
stand in `decide_*.py`, a module for each family.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from services.vault.decide_ends import end
from services.vault.decide_reads import read, unreadable
from services.vault.decide_releases import (
    RELEASED_FIELDS,
    compelled,
    read_for_authority,
    read_for_release,
)
from services.vault.decide_rights import (
    audit_versions,
    find_for_case,
    own_view,
    read_for_verification,
)
from services.vault.decide_writes import (
    accept,
    grant,
    link,
    place_order,
    record_visit,
    store,
    store_purchase,
    summarize_visits,
)
from services.vault.policy_schedule import PolicySchedule
from services.vault.question import Decision, Denial, Kinship, Life, Operation, Permit, Question
from services.vault.standing import Standing

__all__ = [
    "RELEASED_FIELDS",
    "RULES_VERSION",
    "Decision",
    "Denial",
    "Kinship",
    "Life",
    "Operation",
    "Permit",
    "Question",
    "decide",
]

RULES_VERSION: Final = 8

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
    return question.operation in _UNDER_RESTRICTION or compelled(question, standing)


def _unanswerable(question: Question) -> Denial | None:
    """What is wrong with a question whoever the subject is."""
    if question.operation is Operation.FIND_FOR_CASE and not question.reference:
        return Denial("REFERENCE_REQUIRED", "6.2.3")
    if question.operation is Operation.AUDIT_VERSIONS and not question.reference:
        return Denial("REFERENCE_REQUIRED", "6.1.2")
    return unreadable(question) if question.operation is Operation.READ else None


_Rule = Callable[[Question, Standing, PolicySchedule, datetime], Decision]
_RULES: Final[dict[Operation, _Rule]] = {
    Operation.READ: read,
    Operation.READ_FOR_VERIFICATION: read_for_verification,
    Operation.READ_FOR_RELEASE: read_for_release,
    Operation.READ_FOR_AUTHORITY: read_for_authority,
    Operation.STORE: store,
    Operation.ACCEPT: accept,
    Operation.GRANT: grant,
    Operation.PLACE_ORDER: place_order,
    Operation.FIND_FOR_CASE: find_for_case,
    Operation.OWN_VIEW: own_view,
    Operation.RECORD_VISIT: record_visit,
    Operation.STORE_PURCHASE: store_purchase,
    Operation.SUMMARIZE_VISITS: summarize_visits,
    Operation.LINK: link,
    Operation.AUDIT_VERSIONS: audit_versions,
    Operation.DESTROY: end,
    Operation.DEPERSONALISE: end,
}
