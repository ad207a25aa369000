# SPDX-License-Identifier: Apache-2.0
"""What was true then, as known then (clause 4.1): pure, against a telling of every prefix."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.consent.book import Book, Event
from services.consent.consent import Fact
from services.consent.history import (
    ConsentChange,
    Known,
    consent_changes,
    fact_of,
    schedule_known,
    stance_change,
)
from tests.consent.test_book import PURPOSES, SCHEDULE, START, STEPS, Story


class Rows:
    """The rows a history leaves, and their look-up as the database does it."""

    def __init__(self, events: list[Event], purpose: str) -> None:
        self.words = {e.act_id: e for e in events if e.purpose}
        self.rows: list[tuple[datetime, ConsentChange]] = []
        book = Book()
        for event in events:
            before, book = book, book.apply(event).book
            found = [c for c in consent_changes(before, book) if c.purpose == purpose]
            self.rows += [(event.time, change) for change in found]

    def known(self, at: datetime, known: datetime) -> Known:
        earlier = min(at, known)
        stood = [
            (change.valid_time, record, change)
            for record, change in self.rows
            if change.valid_time is not None and change.valid_time <= earlier and record <= known
        ]
        standing: Fact | None = None
        if stood:
            change = max(stood, key=lambda row: row[:2])[2]
            assert change.standing_act is not None
            standing = fact_of(self.words[change.standing_act], change.standing_withdraw_time)
        recorded = [change for record, change in self.rows if record <= earlier]
        if not recorded:
            return Known(standing)
        last = recorded[-1]
        return Known(
            standing,
            fact_of(self.words[last.proposed_act], None) if last.proposed_act else None,
            fact_of(self.words[last.refused_act], None) if last.refused_act else None,
        )


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 40))
def test_the_state_now_as_known_now_is_the_books(
    steps: list[tuple[str, str, int, int | None]], later: int
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    at = story.book.moment(story.now) + timedelta(hours=later)
    for purpose in PURPOSES:
        consent = story.book.consents.get(purpose)
        expected = consent.state(purpose, SCHEDULE, at) if consent else None
        assert Rows(story.events, purpose).known(at, at).state(purpose, SCHEDULE, at) == expected


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_state_then_as_known_then_is_what_the_book_said_then(
    steps: list[tuple[str, str, int, int | None]],
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    book = Book()
    for event in story.events:
        book = book.apply(event).book
        for purpose in PURPOSES:
            consent = book.consents.get(purpose)
            expected = consent.state(purpose, SCHEDULE, event.time) if consent else None
            told = Rows(story.events, purpose).known(event.time, event.time)
            assert told.state(purpose, SCHEDULE, event.time) == expected


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_what_the_future_learns_never_changes_what_was_known(
    steps: list[tuple[str, str, int, int | None]],
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    for count, event in enumerate(story.events, start=1):
        for purpose in PURPOSES:
            whole = Rows(story.events, purpose).known(event.time, event.time)
            part = Rows(story.events[:count], purpose).known(event.time, event.time)
            assert whole == part


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_agreement_that_stands_is_the_last_row(
    steps: list[tuple[str, str, int, int | None]],
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    book, rows = Book(), []
    for event in story.events:
        before, book = book, book.apply(event).book
        changed = stance_change(before, book, event)
        rows += [(changed.valid_time, event.time, changed.stance)] if changed else []
        last = max(rows, key=lambda row: row[:2])[2] if rows else None
        assert last == book.agreement.standing


def test_a_version_counts_from_when_it_was_published() -> None:
    early = START - timedelta(microseconds=1)
    assert schedule_known(SCHEDULE, early).terms == ()
    assert schedule_known(SCHEDULE, START) == SCHEDULE


def test_never_asked_has_no_state() -> None:
    assert Known().state("NEWS", SCHEDULE, START) is None
