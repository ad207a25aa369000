# SPDX-License-Identifier: Apache-2.0
"""Every subject's history, told again, gives what stands of it (clauses 2.1, 2.2, 4.1)."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_consent import History, StandingRows
from cli.consistency.store_standing import Place, PushedSlice
from services.consent.book import Book, Event, Kind
from services.consent.wire_vault import slice_body

_ANSWERS = (Kind.APPLIED, Kind.REFUSED)


@dataclass(frozen=True, slots=True)
class Replay:
    """A history told again: the book it gives, and the slice that its last act pushed."""

    place: Place
    book: Book
    pushed_body: bytes


def replay(history: History) -> Replay:
    """Tell a history again.

    The vault's answers change the slice without being pushed, so what the vault was sent is the
    slice as it was when the last act was recorded.
    """
    book, pushed_body = Book(), b""
    seen: set[str] = set()
    for event in history.events or ():
        book = book.apply(event).book
        if event.kind not in _ANSWERS and event.act_id not in seen:
            seen.add(event.act_id)
            pushed_body = slice_body(book)
    return Replay(history.place, book, pushed_body)


def history_faults(histories: Iterable[History], rows: Iterable[StandingRows]) -> Iterator[Fault]:
    """Histories with gaps, and current rows that do not follow from them. Both by place."""
    for history, stands in matched(histories, rows, lambda h: h.place, lambda r: r.place):
        if history is None:
            assert stands is not None
            yield _fault(stands.place, "subjects", "stands without any history")
            continue
        yield from _sequence_faults(history)
        if stands is None or stands.register_time is None:
            yield _fault(history.place, "subjects", "has a history but no row")
        elif stands.book is None:
            yield _fault(history.place, "agreements", "holds what the service never writes")
        elif history.events is not None:
            yield from _row_faults(history, history.events, stands, stands.book)


def slice_faults(histories: Iterable[History], slices: Iterable[PushedSlice]) -> Iterator[Fault]:
    """Slices that are not what the history gives. Both by place."""
    for history, pushed in matched(histories, slices, lambda h: h.place, lambda s: s.place):
        if history is None or pushed is None:
            place = history.place if history is not None else pushed.place if pushed else ("", "")
            lacks = "history" if history is None else "slice"
            yield _fault(place, "slices", f"the subject has no {lacks}")
        elif history.events is not None and slice_body(replay(history).book) != pushed.body:
            yield _fault(history.place, "slices", "the slice is not what the history gives")


def wording_faults(wordings: Iterable[tuple[str, str, str]]) -> Iterator[Fault]:
    """Wordings that are not those of their digest."""
    for site, sha256, wording in wordings:
        if hashlib.sha256(wording.encode()).hexdigest() != sha256:
            what = "the wording is not the one of its digest"
            yield Fault.of("consent", "wordings", what, site_id=site, sha256=sha256)


def _sequence_faults(history: History) -> Iterator[Fault]:
    if history.events is None:
        yield _fault(history.place, "consent_events", "an event is nothing there is")
    for expected, sequence in enumerate(history.sequences, start=1):
        if sequence != expected:
            yield _event_fault(history, expected, "is missing in the history")
            return
    for sequence, (former, event) in enumerate(pairwise(history.events or ()), start=2):
        if event.time <= former.time:
            yield _event_fault(history, sequence, "is not later than the one before")


def _row_faults(
    history: History, events: tuple[Event, ...], stands: StandingRows, book: Book
) -> Iterator[Fault]:
    told = replay(history).book
    if (told.events, told.last_time) != (book.events, book.last_time):
        yield _fault(history.place, "subjects", "count or time of the last event differ")
    if events and stands.register_time != events[0].time:
        yield _fault(history.place, "subjects", "the time of registration differs")
    if told.agreement != book.agreement:
        yield _fault(history.place, "agreements", "the agreement is not what the history gives")
    if told.links != book.links:
        yield _fault(history.place, "links", "the links are not what the history gives")
    for purpose in sorted(told.consents.keys() | book.consents.keys()):
        if told.consents.get(purpose) != book.consents.get(purpose):
            yield Fault.of(
                "consent",
                "consents",
                "the consent is not what the history gives",
                site_id=history.place[0],
                subject_id=history.place[1],
                purpose=purpose,
            )


def _fault(place: Place, table: str, what: str) -> Fault:
    return Fault.of("consent", table, what, site_id=place[0], subject_id=place[1])


def _event_fault(history: History, sequence: int, what: str) -> Fault:
    site, subject = history.place
    return Fault.of(
        "consent",
        "consent_events",
        what,
        site_id=site,
        subject_id=subject,
        sequence=sequence,
    )
