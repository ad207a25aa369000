# SPDX-License-Identifier: Apache-2.0
"""Hears from the vault whom it blocked for their contact, and takes it into the book (6.2.3)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from services.chassis import evidence
from services.chassis.calendar import WorkingCalendar
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.decider import store as decider_store
from services.chassis.decider.pusher import Pusher
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import Refusal, Unavailable
from services.claims import store, store_acts, store_facts, store_same_contact, store_tasks
from services.claims.claim import Claim
from services.claims.store_acts import Compose
from services.claims.store_same_contact import ProvisionalBlock, SameContact, SameContactState
from services.claims.store_tasks import Destruction, TaskKind
from services.claims.store_verification import Desk

_LIST_SECONDS, _PUSH_SECONDS = 2.0, 2.0
_PAUSE_SECONDS = 0.5
_TOGETHER = 20
"""Subjects that the vault is asked about in one call."""
EVENT = "same_contact.blocked"


class Vault(Protocol):
    """What is asked of the vault; each raises Refusal."""

    def provisional_blocks(
        self, page_token: str, timeout: float
    ) -> tuple[list[ProvisionalBlock], str | None]:
        """A page of blocks, and where the next one begins; None: that was the last."""
        ...

    def destroyed(self, site_id: str, subject_ids: Sequence[str], timeout: float) -> frozenset[str]:
        """Those of at most 20 subjects whose data were destroyed."""
        ...


class SameContacts:
    """The rounds that keep the book of provisional blocks; the vault calls nobody."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        pusher: Pusher,
        compose: Compose,
        calendar: WorkingCalendar,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._vault = vault
        self._pusher = pusher
        self._compose = compose
        self._calendar = calendar
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._told: set[str] = set()
        self._asked: Destruction | None = None

    def round(self) -> float:
        """Take in all that the vault names; returns the seconds until the next round."""
        try:
            token: str | None = ""
            while token is not None:
                blocks, token = self._vault.provisional_blocks(token, _LIST_SECONDS)
                for found in blocks:
                    self.take_in(found)
            self._end_destructions()
        except Refusal as refusal:
            # What the vault has to tell waits there. That it is away is told elsewhere.
            if not isinstance(refusal, Unavailable):
                self._log.warning("the vault tells nothing", reason=refusal.reason)
        return _PAUSE_SECONDS

    def take_in(self, found: ProvisionalBlock) -> None:
        """Write a provisional block into the book, and push it as the book's own.

        A book that was set back takes in what the vault knows of it: a block that was released
        stays so. One that was confirmed is the claim's own, and comes back with its legal hold
        (`mending`), as a claim does that the book has lost.
        """
        key = store_acts.key_of(found.site_id, found.subject_id)
        with self._database.transaction() as connection:
            counter = decider_store.next_counter(connection, key)
            claim = store.read_claim(connection, found.site_id, found.claim_id, lock=True)
            if claim is None:
                self._tell_once(found.claim_id)
                return
            if found.subject_id in claim.subject_ids or not found.same_contact:
                return
            known = store_same_contact.state_of(
                connection, claim.site_id, claim.claim_id, found.subject_id
            )
            if known is None:
                now = self._clock.now()
                self._write(connection, claim, found, now)
                act = decider_store.record_act(
                    connection, key, counter, EVENT, proposal=False, now=now
                )
                facts = store_facts.facts_of(connection, claim.site_id, found.subject_id)
                decider_store.write_slice(connection, key, counter, self._compose(facts), now)
                entry = Entry(
                    event=EVENT,
                    verb="BLOCK",
                    outcome=evidence.DONE,
                    site_id=claim.site_id,
                    principal="process/claims",
                    subject=pseudonym_of(connection, claim.site_id, found.subject_id),
                    clause="6.2.3",
                    refs={
                        "claim_id": claim.claim_id,
                        "number": claim.number,
                        "act_id": act.act_id,
                    },
                )
                evidence.append(connection, entry, now)
        self._pusher.push(key, _PUSH_SECONDS)

    def _tell_once(self, claim_id: str) -> None:
        """The book was set back and has lost a claim: its blocks stay in force at the vault."""
        if claim_id not in self._told:
            self._told.add(claim_id)
            self._metrics.alarms.labels("same_contact").inc()
            self._log.error("provisional block of no claim", topic=store_acts.TOPIC)

    def _write(
        self,
        connection: Connection,
        claim: Claim,
        found: ProvisionalBlock,
        now: datetime,
    ) -> None:
        state = SameContactState.PROVISIONAL
        if found.ended:
            state = SameContactState.RELEASED
        else:
            desk = Desk(self._compose, self._calendar, now)
            task = desk.task(claim, TaskKind.SETTLE_SAME_CONTACT, found.subject_id)
            store_tasks.give(connection, task)
        shared = SameContact(found.subject_id, state, found.block_time)
        store_same_contact.add(connection, claim.site_id, claim.claim_id, shared, found.since)

    def _end_destructions(self) -> None:
        """Tasks whose data the vault has destroyed are done.

        What is due and what is destroyed the vault's list says; a task follows it. Every round asks
        of the next tasks, so that some whose destruction is held keep none of the others open.
        """
        with self._database.transaction() as connection:
            tasks = store_tasks.open_destructions(connection, self._asked, _TOGETHER)
        for site_id in sorted({site for site, *_ in tasks}):
            subjects = sorted({subject for site, *_, subject in tasks if site == site_id})
            destroyed = self._vault.destroyed(site_id, subjects, _LIST_SECONDS)
            with self._database.transaction() as connection:
                for site, _, claim_id, subject in tasks:
                    if site == site_id and subject in destroyed:
                        now = self._clock.now()
                        store_tasks.done(connection, site, claim_id, TaskKind.DESTROY, now, subject)
        self._asked = tasks[-1] if len(tasks) == _TOGETHER else None
