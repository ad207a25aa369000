# SPDX-License-Identifier: Apache-2.0
"""Rules of what is shown to the person, and to those who look after their rights."""

from datetime import datetime

from services.vault.fields import STATED_FIELDS, Field
from services.vault.findings import held, open_block
from services.vault.policy_schedule import PolicySchedule
from services.vault.purposes import PURPOSES
from services.vault.question import Decision, Denial, Permit, Question
from services.vault.standing import Standing


def own_view(
    _q: Question, _standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """The person's own view."""
    # Showing the person their own data is none of what a block stops (law.md 4.2).
    return Permit(frozenset(Field), "6.1.3")


def read_for_verification(
    q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """A claims officer's read, while the claim's block is open."""
    if not open_block(standing, q.reference):
        return Denial("NOT_FOUND", "")
    configured = frozenset(reach.field for reach in q.configured)
    return Permit(PURPOSES["VERIFY_DATA"].fields | configured, "4.1.5")


def find_for_case(
    _q: Question, _standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """Finding the person of a case, whatever holds their data."""
    return Permit(frozenset(), "6.2.3")


def audit_versions(
    _q: Question, standing: Standing, _schedule: PolicySchedule, _now: datetime
) -> Decision:
    """Who supplied what, for an auditor."""
    return held(standing) or Permit(STATED_FIELDS, "6.1.2")
