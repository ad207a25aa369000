# SPDX-License-Identifier: Apache-2.0
"""An event with all that follows from it, in one transaction: history, book, act and slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.engine import Connection

from services.chassis.clock import Clock
from services.chassis.decider import store as decider
from services.chassis.decider.store import Act, Key
from services.chassis.ids import new_uuid
from services.chassis.refusal import NotFound
from services.consent.book import Book, Event, Kind
from services.consent.store_events import append_event
from services.consent.store_policies import read_policy
from services.consent.store_slices import rewrite_slice, supersede_acts
from services.consent.store_states import append_states
from services.consent.store_subjects import read_book, save_book, subject_exists

TOPIC = "consent"
"""The slice of one subject."""


class Page:
    """A subject's book, locked until the transaction ends, for one more event.

    `time` is the event's; `act` the act that was recorded on this page.
    """

    def __init__(
        self,
        connection: Connection,
        key: Key,
        counter: int,
        book: Book,
        clock: Clock,
        compose: Callable[[Book], bytes],
    ) -> None:
        self.connection = connection
        self.key = key
        self.book = book
        self.now = clock.now()
        self.time = book.moment(self.now)
        self.act: Act | None = None
        self._counter = counter
        self._compose = compose

    def record_act(self, kind: str, *, proposal: bool) -> Act:
        """Record the act that the event is to carry."""
        self.act = decider.record_act(
            self.connection, self.key, self._counter, kind, proposal=proposal, now=self.time
        )
        return self.act

    def write(self, event: Event) -> tuple[str, ...]:
        """Write the event and what follows; the acts whose place it took.

        The slice has a new version only where an act was recorded.
        """
        site_id, subject_id = self.key.site_id, self.key.subject_id
        change = self.book.apply(event)
        save_book(self.connection, site_id, subject_id, self.book, change.book)
        append_event(self.connection, site_id, subject_id, change.book.events, event)
        place = (site_id, subject_id)
        append_states(self.connection, place, self.book, change.book, event)
        supersede_acts(self.connection, change.superseded)
        if self.act is not None:
            body = self._compose(change.book)
            decider.write_slice(self.connection, self.key, self._counter, body, self.now)
        return change.superseded


class Journal:
    """Opens pages; `compose` makes the whole slice of a book."""

    def __init__(self, clock: Clock, compose: Callable[[Book], bytes]) -> None:
        self._clock = clock
        self._compose = compose

    def open(self, connection: Connection, site_id: str, subject_id: str) -> Page:
        """Lock and read a subject's book. Raises NotFound, also for another site's subject."""
        if not subject_exists(connection, site_id, subject_id):
            raise NotFound
        return self._page(connection, site_id, subject_id)

    def open_new(self, connection: Connection, site_id: str, subject_id: str) -> Page:
        """The empty book of a subject that is just being born."""
        return self._page(connection, site_id, subject_id)

    def _page(self, connection: Connection, site_id: str, subject_id: str) -> Page:
        key = Key(TOPIC, site_id, subject_id)
        counter = decider.next_counter(connection, key)
        # Read in a later statement than the lock, or it would be what stood before the wait.
        book = read_book(connection, site_id, subject_id) or Book()
        return Page(connection, key, counter, book, self._clock, self._compose)

    def mend(
        self, connection: Connection, key: Key, facts: Sequence[Event], disagreement: str
    ) -> None:
        """Put into the book what the vault holds and the book had forgotten, and push it whole.

        `disagreement` names the act of a disagreement, which is recorded with it.
        """
        counter, now = decider.next_counter(connection, key), self._clock.now()
        place = (key.site_id, key.subject_id)
        before = read_book(connection, *place)
        if before is None or not facts:
            return
        book = before
        for fact in facts:
            event = replace(fact, time=book.moment(now))
            if fact.kind is Kind.CARRIED_DISAGREEMENT:
                act = decider.record_act(
                    connection, key, counter, disagreement, proposal=False, now=event.time
                )
                event = replace(
                    event, act_id=act.act_id, policy_sha256=_sha256(connection, key, event)
                )
            told, change = book, book.apply(event)
            book = change.book
            append_event(connection, *place, book.events, event)
            append_states(connection, place, told, book, event)
            supersede_acts(connection, change.superseded)
        save_book(connection, *place, before, book)
        decider.write_slice(connection, key, counter, self._compose(book), now)

    def settle(self, connection: Connection, acts: Sequence[Act], _receipt: object) -> None:
        """Write the vault's answers to proposals; called with the slice locked."""
        answered = [act for act in acts if act.proposal]
        if not answered:
            return
        key, now = answered[0].key, self._clock.now()
        counter = decider.next_counter(connection, key)
        before = read_book(connection, key.site_id, key.subject_id) or Book()
        book = before
        for act in answered:
            event = Event(
                event_id=new_uuid(),
                kind=Kind.APPLIED if act.enforcement == decider.IN_FORCE else Kind.REFUSED,
                time=book.moment(now),
                principal="process/vault",
                act_id=act.act_id,
            )
            told, book = book, book.apply(event).book
            append_event(connection, key.site_id, key.subject_id, book.events, event)
            append_states(connection, (key.site_id, key.subject_id), told, book, event)
        save_book(connection, key.site_id, key.subject_id, before, book)
        rewrite_slice(connection, key, counter, self._compose(book), now)


def _sha256(connection: Connection, key: Key, event: Event) -> str:
    policy = read_policy(connection, key.site_id, event.policy_version)
    return policy.sha256 if policy else ""
