# SPDX-License-Identifier: Apache-2.0
"""Finding subjects by a contact, so that nobody learns of those he may not have (clause 4.1.1).

Absent and held back cost the same statements and leave the same evidence: one refusal NOT_FOUND
that names nobody, behind the budget of refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.ids import new_subject_id
from services.chassis.refusal import VaultNotReady
from services.vault import store
from services.vault.budget import DailyBudget, Reach
from services.vault.decide import Decision, Denial, Permit, Question
from services.vault.fields import Field
from services.vault.gate import decide_case
from services.vault.index_version import find_subjects
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore, OwnerKey
from services.vault.wire_case import decided_on, schedule_of

# Of each look-up at least so many cases are read and decided on.
_LEAST = 2
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Find:
    """A find by a normalized contact; `event`, `verb` and `refs` go into evidence."""

    site: str
    indexed: Field
    contact: str = member(repr=False)
    question: Question
    event: str
    verb: str
    principal: str
    role: str
    refs: Mapping[str, str] = member(default_factory=dict)
    daily_subjects: int = 0


class Search:
    """Finds the subjects that a question permits."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        refusals: RefusalLog,
        clock: Clock,
        budget: DailyBudget,
    ) -> None:
        self._budget = budget
        self._database = database
        self._keys = keys
        self._refusals = refusals
        self._clock = clock

    def find(self, find: Find) -> list[str] | Denial:
        """The ids found; a Denial where the call is refused whoever is meant.

        Raises VaultNotReady, KeyUnavailable and KeyWrong of the provider, BudgetExhausted,
        Unavailable where it cannot be recorded.
        """
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            sought = self._indexed(connection, find)
            asked = _padded(find.site, sought)
            self._lock(connection, asked)
            # Again under the locks: who changed the contact meanwhile is not found by the old one.
            still = set(self._indexed(connection, find)) & set(sought)
            cases = store.cases(connection, asked)
            keys = self._keys.owner_keys(asked)
            now = self._clock.now()
            answers = {s: decide_case(find.question, cases[s], now) for s in asked}
            refused = _refused_whole(answers.values())
            if refused is not None:
                self._refuse(connection, find, refused)
                return refused
            found = {
                s: answer
                for s, answer in answers.items()
                if s[1] in still and isinstance(answer, Permit)
            }
            if not self._within_budget(connection, find, found):
                exhausted = Denial("BUDGET_EXHAUSTED", "")
                self._refuse(connection, find, exhausted)
                return exhausted
            self._record(connection, find, found, cases, keys)
        return [subject for _, subject in found]

    def _within_budget(
        self, connection: Connection, find: Find, found: Mapping[Subject, Permit]
    ) -> bool:
        """Whoever is sought counts, found or not: who has used up the budget learns of nobody."""
        if not find.daily_subjects:
            return True
        sought = [subject for _, subject in found] or [f"{find.indexed}\0{find.contact}"]
        reaches = [Reach(find.site, find.principal, find.daily_subjects, each) for each in sought]
        return all(self._budget.admit(connection, reaches, self._clock.now()))

    def _indexed(self, connection: Connection, find: Find) -> list[str]:
        found = find_subjects(connection, self._keys, find.site, find.indexed, find.contact)
        return found[:_MOST]

    def _lock(self, connection: Connection, subjects: Sequence[Subject]) -> None:
        taken = store.try_lock_shared(connection, subjects)
        for subject, locked in zip(subjects, taken, strict=True):
            if not locked:
                store.lock_shared(connection, *subject)

    def _record(
        self,
        connection: Connection,
        find: Find,
        found: Mapping[Subject, Permit],
        cases: Mapping[Subject, Case],
        keys: Mapping[Subject, OwnerKey],
    ) -> None:
        now = self._clock.now()
        if not found:
            self._refuse(connection, find, Denial("NOT_FOUND", ""))
            return
        entries = [
            Entry(
                event=find.event,
                verb=find.verb,
                outcome=evidence.PERMITTED,
                site_id=find.site,
                principal=find.principal,
                role=find.role,
                subject=keys[subject].pseudonym if subject in keys else "",
                clause=permit.clause,
                refs=find.refs,
                decided_on=decided_on(cases[subject], schedule_of(cases[subject]).in_force(now)),
            )
            for subject, permit in found.items()
        ]
        evidence.append_all(connection, entries, now)

    def _refuse(self, connection: Connection, find: Find, denial: Denial) -> None:
        entry = Entry(
            event=find.event,
            verb=find.verb,
            outcome=evidence.REFUSED,
            site_id=find.site,
            principal=find.principal,
            role=find.role,
            clause=denial.clause,
            reason=denial.reason,
            refs=find.refs,
        )
        self._refusals.record(connection, entry, self._clock.now())


def _padded(site: str, sought: Sequence[str]) -> list[Subject]:
    strangers = [new_subject_id() for _ in range(max(1, _LEAST - len(sought)))]
    return [(site, subject) for subject in [*sought, *strangers]]


_WHOLE = frozenset({"PURPOSE_UNKNOWN", "PURPOSE_NOT_GRANTED", "REFERENCE_REQUIRED"})


def _refused_whole(answers: Iterable[Decision]) -> Denial | None:
    for answer in answers:
        if isinstance(answer, Denial) and answer.reason in _WHOLE:
            return answer
    return None
