# SPDX-License-Identifier: Apache-2.0
"""One express consent: what was given, refused and withdrawn, and its state at a time (4.1).

Three facts suffice, however often a person changed their mind: the one that
stands, a grant on its way to the vault, and a grant that the vault refused.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.consent.schedule import Schedule


class State(StrEnum):
    """The states of an express consent."""

    GIVEN = "GIVEN"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    OUTDATED = "OUTDATED"
    REFUSED = "REFUSED"
    PENDING = "PENDING"
    REFUSED_BY_PERSON = "REFUSED_BY_PERSON"


@dataclass(frozen=True, slots=True)
class Fact:
    """A grant and its end; where not `given`, a recorded "no" of that time.

    `time` is when the person declared it, on paper where it was; `expire_time`
    when it ends by itself, `withdraw_time` when the person ended it (of a
    "no": the same as `time`).
    """

    act_id: str
    given: bool
    policy_version: int
    time: datetime
    language: str
    wording_sha256: str
    expire_time: datetime | None
    withdraw_time: datetime | None

    @property
    def valid_time(self) -> datetime:
        """Since when the fact is as it is: its end, or else its beginning."""
        return self.withdraw_time or self.time


@dataclass(frozen=True, slots=True)
class Consent:
    """The facts of one purpose that still matter."""

    standing: Fact | None = None
    proposed: Fact | None = None
    refused: Fact | None = None

    @property
    def last_time(self) -> datetime | None:
        """When the person spoke last of this purpose; None: never."""
        facts = (self.standing, self.proposed, self.refused)
        return max((fact.valid_time for fact in facts if fact is not None), default=None)

    def grant(self, fact: Fact) -> "Consent":
        """A new grant is on its way; it takes the place of an earlier one on its way.

        The one that stands goes on until the vault has applied the new one.
        """
        return Consent(self.standing, fact, None)

    def withdraw(self, no: Fact, recorded: datetime) -> "Consent":
        """The person withdraws: the grant on its way too; `no` where nothing was ever given.

        A paper that is older than the grant it ends, ends it when it is
        recorded: whoever withdraws is never left with a consent.
        """
        last = self.proposed or self.standing
        if last is None:
            return Consent(no)
        return Consent(_withdrawn(last, no.time if no.time >= last.time else recorded))

    def decline(self, no: Fact, recorded: datetime) -> "Consent":
        """The person says "no" when asked; it ends what was given, and stands where nothing is."""
        last = self.proposed or self.standing
        if last is not None and not _has_ended(last, recorded):
            return self.withdraw(no, recorded)
        if self.last_time is not None and no.time <= self.last_time:
            no = replace(no, time=recorded, withdraw_time=recorded)
        return Consent(no)

    def disagree(self, time: datetime) -> "Consent":
        """The person disagreed with the policy: what was given has ended, for good (2.2).

        A grant on its way too, which the vault may have applied although its answer never came:
        it is kept as withdrawn, so that no restored copy revives it.
        """
        if self.proposed is not None:
            return Consent(_withdrawn(self.proposed, time))
        if self.standing is None or not self.standing.given or _has_ended(self.standing, time):
            return self
        return Consent(_withdrawn(self.standing, time))

    def disagreed_before(self, time: datetime) -> "Consent":
        """The person had disagreed at a time that this book had forgotten (2.2)."""
        fact = self.standing
        if fact is None or not fact.given or fact.time > time or _has_ended(fact, time):
            return self
        return replace(self, standing=_withdrawn(fact, time))

    def mend(self, fact: Fact) -> "Consent":
        """The vault holds a fact as ended that this book had forgotten, or whose end it had."""
        if self.standing is not None and self.standing.act_id == fact.act_id:
            return replace(self, standing=_ended_like(self.standing, fact))
        if self.proposed is not None and self.proposed.act_id == fact.act_id:
            return Consent(_ended_like(self.proposed, fact))
        if self.standing is None or self.standing.time < fact.time:
            return replace(self, standing=fact)
        return self

    def settle(self, act_id: str, *, applied: bool) -> "Consent":
        """The vault has answered a grant."""
        if self.proposed is None or self.proposed.act_id != act_id:
            return self
        if applied:
            return Consent(self.proposed)
        return Consent(self.standing, None, self.proposed)

    def state(self, purpose: str, schedule: Schedule, at: datetime) -> tuple[State, Fact] | None:
        """The state at a time and the fact behind it; None where it was never asked for.

        What permits comes first: a consent in force is GIVEN, whatever is on
        its way.
        """
        standing = None
        if self.standing is not None:
            standing = state_of_fact(self.standing, purpose, schedule, at), self.standing
            if standing[0] is State.GIVEN:
                return standing
        if self.proposed is not None:
            return State.PENDING, self.proposed
        if self.refused is not None:
            return State.REFUSED, self.refused
        return standing

    def state_of(
        self, act_id: str, purpose: str, schedule: Schedule, at: datetime
    ) -> tuple[State, Fact] | None:
        """The state of what an act granted, or of the consent where another took its place."""
        if self.proposed is not None and self.proposed.act_id == act_id:
            return State.PENDING, self.proposed
        return self.state(purpose, schedule, at)


def _withdrawn(fact: Fact, time: datetime) -> Fact:
    # The first withdrawal counts: it ended the consent. A paper may turn out to be the first.
    known = fact.withdraw_time
    return fact if known is not None and known <= time else replace(fact, withdraw_time=time)


def _ended_like(own: Fact, fact: Fact) -> Fact:
    return replace(own, given=fact.given, withdraw_time=fact.withdraw_time)


def _has_ended(fact: Fact, at: datetime) -> bool:
    return fact.withdraw_time is not None or (
        fact.expire_time is not None and fact.expire_time <= at
    )


def state_of_fact(fact: Fact, purpose: str, schedule: Schedule, at: datetime) -> State:
    """The state of a fact that the vault has applied."""
    if not fact.given:
        return State.REFUSED_BY_PERSON
    if fact.withdraw_time is not None:
        return State.WITHDRAWN
    outdated_time = schedule.outdated_time(purpose, fact.policy_version)
    expired = fact.expire_time is not None and fact.expire_time <= at
    outdated = outdated_time is not None and outdated_time <= at
    if expired and outdated and fact.expire_time and outdated_time:
        return State.EXPIRED if fact.expire_time <= outdated_time else State.OUTDATED
    if expired:
        return State.EXPIRED
    return State.OUTDATED if outdated else State.GIVEN
