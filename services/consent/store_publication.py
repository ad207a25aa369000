# SPDX-License-Identifier: Apache-2.0
"""The publication of a policy version, in the caller's transaction (clauses 9.1, 9.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from services.chassis.clock import Clock
from services.chassis.decider import store as decider
from services.chassis.decider.store import Act, Key
from services.consent.policy import Policy, PolicyText, digest
from services.consent.schedule import Schedule
from services.consent.store_policies import insert_policy, read_schedule

TOPIC = "schedule"
"""The slice of a whole site: when each version is in force."""


@dataclass(frozen=True, slots=True)
class Edition:
    """What is to be published; `effective_time` None: at publication."""

    texts: tuple[PolicyText, ...]
    effective_time: datetime | None
    material_purposes: frozenset[str]
    prevailing_language: str


class Press:
    """Publishes versions one after the other; `compose` makes the slice of a schedule."""

    def __init__(self, clock: Clock, compose: Callable[[Schedule], bytes]) -> None:
        self._clock = clock
        self._compose = compose

    def publish(
        self,
        connection: Connection,
        site_id: str,
        publication_id: str,
        kind: str,
        edition: Edition,
    ) -> tuple[Policy, Act]:
        """Give the next number, write the version and the site's new schedule.

        Publications of a site wait for each other, so numbers have no gap and
        times are in the order of the numbers. Raises PastEffectiveTime,
        VersionScheduledLater, TooManyVersions.
        """
        key = Key(TOPIC, site_id, "")
        counter = decider.next_counter(connection, key)
        # The clock is read after the lock, the schedule in a later statement than it.
        now = self._clock.now()
        schedule = read_schedule(connection, site_id)
        term = schedule.next_term(now, edition.effective_time, edition.material_purposes)
        act = decider.record_act(
            connection, key, counter, kind, proposal=False, now=term.publish_time
        )
        texts = tuple(sorted((t.canonical() for t in edition.texts), key=lambda t: t.language))
        policy = Policy(
            version=term.version,
            sha256=digest(term.version, edition.prevailing_language, texts),
            publish_time=term.publish_time,
            effective_time=term.effective_time,
            prevailing_language=edition.prevailing_language,
            material_purposes=tuple(sorted(term.material_purposes)),
            act_id=act.act_id,
            texts=texts,
        )
        insert_policy(connection, site_id, publication_id, policy)
        body = self._compose(Schedule((*schedule.terms, term)))
        decider.write_slice(connection, key, counter, body, now)
        return policy, act


def settle_nothing(_connection: Connection, _acts: object, _receipt: object) -> None:
    """Nothing follows when the vault has applied a schedule: the versions stand already."""
