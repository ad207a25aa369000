# SPDX-License-Identifier: Apache-2.0
"""When the versions of a site's policy are in force (clauses 9.1, 9.2).

Effective times grow strictly with the version, so versions never overlap: each
is in force from its effective time (inclusive) to the next one's (exclusive).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

TICK = timedelta(microseconds=1)
"""The resolution of stored times."""
MOST_VERSIONS = 10_000
"""As many terms as a schedule may be pushed with."""


class PastEffectiveTime(Exception):
    """The effective time lies before the publication (T-9.2-c)."""


class VersionScheduledLater(Exception):
    """A version already published takes effect at that time or later."""


class TooManyVersions(Exception):
    """The site has published as many versions as a schedule holds."""


@dataclass(frozen=True, slots=True)
class Term:
    """When a version was published and takes effect, and for which consents it is material."""

    version: int
    publish_time: datetime
    effective_time: datetime
    material_purposes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Schedule:
    """All versions of a site, oldest first."""

    terms: tuple[Term, ...] = ()

    def in_force(self, at: datetime) -> int:
        """The version in force at a time; 0 before the first."""
        return max((t.version for t in self.terms if t.effective_time <= at), default=0)

    def outdated_time(self, purpose: str, version: int) -> datetime | None:
        """When a consent given under `version` ends by a material change; None: never so far."""
        return next(
            (
                t.effective_time
                for t in self.terms
                if t.version > version and purpose in t.material_purposes
            ),
            None,
        )

    def next_term(
        self, now: datetime, effective_time: datetime | None, material_purposes: frozenset[str]
    ) -> Term:
        """The term of a version published now; in force at publication where no time is given.

        Publication times grow strictly too, also where the clock stands still
        or steps back. Raises PastEffectiveTime, VersionScheduledLater,
        TooManyVersions.
        """
        last = self.terms[-1] if self.terms else None
        publish_time = now if last is None else max(now, last.publish_time + TICK)
        effective = publish_time if effective_time is None else effective_time
        if effective < publish_time:
            raise PastEffectiveTime
        if last is not None and effective <= last.effective_time:
            raise VersionScheduledLater
        if len(self.terms) >= MOST_VERSIONS:
            raise TooManyVersions
        return Term(len(self.terms) + 1, publish_time, effective, material_purposes)
