# SPDX-License-Identifier: Apache-2.0
"""What an event changed of what stands, and what stood at a time as known at a time.

A word counts from when the person gave it, and only once the vault has applied what it permits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from services.consent.agreement import Stance
from services.consent.book import Book, Event, Kind
from services.consent.consent import Consent, Fact, State
from services.consent.schedule import Schedule


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """A purpose's acts after an event; `valid_time` None: what stands is what stood."""

    purpose: str
    valid_time: datetime | None
    standing_act: str | None
    standing_withdraw_time: datetime | None
    proposed_act: str | None
    refused_act: str | None


@dataclass(frozen=True, slots=True)
class StanceChange:
    """The stance that stands after an event, and since when it is as it is."""

    valid_time: datetime
    stance: Stance


def consent_changes(before: Book, after: Book) -> Iterator[ConsentChange]:
    """The purposes whose facts an event changed."""
    for purpose, now in sorted(after.consents.items()):
        was = before.consents.get(purpose, Consent())
        if was != now:
            stands = now.standing
            changed = stands is not None and stands != was.standing
            yield ConsentChange(
                purpose,
                stands.valid_time if stands and changed else None,
                stands.act_id if stands else None,
                stands.withdraw_time if stands else None,
                now.proposed.act_id if now.proposed else None,
                now.refused.act_id if now.refused else None,
            )


def stance_change(before: Book, after: Book, event: Event) -> StanceChange | None:
    """The stance that an event made stand; None where it changed nothing that stands."""
    was, now = before.agreement.standing, after.agreement.standing
    if now is None or now == was:
        return None
    # A later use that proves more of the same acceptance counts from that use.
    same = was is not None and was.act_id == now.act_id
    return StanceChange(event.time if same else now.time, now)


def fact_of(event: Event, withdraw_time: datetime | None) -> Fact:
    """The fact that an event made, with the end it has."""
    given = event.kind in (Kind.GRANTED, Kind.CARRIED_CONSENT)
    return Fact(
        event.act_id,
        given,
        event.policy_version,
        event.declared_time if given or withdraw_time is None else withdraw_time,
        event.language,
        event.wording_sha256,
        event.expire_time,
        withdraw_time,
    )


@dataclass(frozen=True, slots=True)
class Moment:
    """What is asked for: what was true `at`, as `known` then."""

    at: datetime
    known: datetime

    @property
    def earlier(self) -> datetime:
        """Nothing holds before it is known, but papers: the earlier of the two."""
        return min(self.at, self.known)


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a purpose: what stood at the time asked for, what was then on its way,
    what the vault had then refused."""

    standing: Fact | None = None
    proposed: Fact | None = None
    refused: Fact | None = None

    def state(self, purpose: str, schedule: Schedule, at: datetime) -> tuple[State, Fact] | None:
        """The state and the fact behind it; None: the person was never asked."""
        consent = Consent(self.standing, self._later(self.proposed), self._later(self.refused))
        return consent.state(purpose, schedule, at)

    def _later(self, fact: Fact | None) -> Fact | None:
        """A fact on its way, unless what stands is younger: known later, it took its place."""
        if fact is None or self.standing is None:
            return fact
        return fact if fact.time > self.standing.valid_time else None


def schedule_known(schedule: Schedule, known: datetime) -> Schedule:
    """The versions that had been published by then."""
    return replace(schedule, terms=tuple(t for t in schedule.terms if t.publish_time <= known))
