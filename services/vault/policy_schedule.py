# SPDX-License-Identifier: Apache-2.0
"""When a site's policy versions are in force, and what each is material for (clause 9)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PolicyTerm:
    """A version, in force from `effective_time`; `material_purposes` end earlier consents."""

    version: int
    effective_time: datetime
    material_purposes: frozenset[str]


@dataclass(frozen=True, slots=True)
class PolicySchedule:
    """The versions of a site, oldest first."""

    terms: tuple[PolicyTerm, ...] = ()

    def in_force(self, now: datetime) -> int:
        """The version in force at `now`; 0 where none is."""
        return max((t.version for t in self.terms if t.effective_time <= now), default=0)

    def outdated(self, purpose: str, version: int, now: datetime) -> bool:
        """Whether a later version in force is material for a consent given under `version`.

        Clause 9.1, T-9.1-b: the consent does not widen with the text.
        """
        return any(
            term.version > version
            and term.effective_time <= now
            and purpose in term.material_purposes
            for term in self.terms
        )
