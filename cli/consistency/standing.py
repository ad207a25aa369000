# SPDX-License-Identifier: Apache-2.0
"""What each decider has pushed is what the vault decides on (architecture, section 2)."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cli.consistency.contents import difference
from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_standing import HeldSlice, Place, PushedSlice
from cli.consistency.wire import Unreadable, canonical, content_of
from services.vault.standing import ConsentStanding
from services.vault.wire_case import CONSENT, DECIDER_OF, ORDERS, SCHEDULE


@dataclass(frozen=True, slots=True)
class Told:
    """A decider's slice, and the bytes of the version before the vault's last answers to it.

    Only the consent service writes answers into a slice without pushing it again.
    """

    slice: PushedSlice
    before_answers: bytes = field(default=b"", repr=False)


def standing_faults(
    topic: str,
    pushed: Iterable[Told],
    held: Iterable[HeldSlice],
    lives: Iterable[tuple[Place, str]],
) -> Iterator[Fault]:
    """Slices of a topic that do not agree; all three by place."""
    both = matched(pushed, held, lambda told: told.slice.place, lambda slice_: slice_.place)
    for pair, life in matched(both, lives, _place_of, lambda each: each[0]):
        told, stands = pair or (None, None)
        if pair is None:
            if topic == CONSENT and life is not None:
                yield _held_fault("subjects", topic, life[0], "no consent slice stands behind it")
        elif told is None:
            assert stands is not None
            what = f"{DECIDER_OF[topic]} has no slice behind it"
            yield _held_fault("slices", topic, stands.place, what)
        elif stands is None:
            yield from _absent(topic, told.slice, life[1] if life else "")
        else:
            if life is None and topic == CONSENT:
                yield _held_fault("subjects", topic, stands.place, "the subject's row is missing")
            yield from _compared(topic, told, stands)


def link_faults(held: Iterable[HeldSlice], links: Iterable[tuple[Place, str]]) -> Iterator[Fault]:
    """Links that do not follow from the visitors' consent slices; both by place."""
    for stands, link in matched(held, links, lambda s: s.place, lambda each: each[0]):
        place = stands.place if stands is not None else link[0] if link else ("", "")
        if _account_in(stands) != (link[1] if link else ""):
            site, visitor = place
            what = "the link is not that of the visitor's consent slice"
            yield Fault.of("vault", "links", what, site_id=site, visitor_id=visitor)


def _account_in(stands: HeldSlice | None) -> str:
    """The account that a consent slice points to; empty where none, or where none can be read."""
    try:
        content = content_of(CONSENT, stands.body) if stands is not None else None
    except Unreadable:
        return ""
    link = content.link if isinstance(content, ConsentStanding) else None
    return link.account_id if link is not None else ""


def strange_faults(found: Iterable[tuple[Place, str]]) -> Iterator[Fault]:
    """Slices of a topic that nobody pushes."""
    for place, topic in found:
        yield _held_fault("slices", topic, place, "no decider has this topic")


def outbox_faults(decider: str, found: Iterable[tuple[str, Place]]) -> Iterator[Fault]:
    """What waits to be pushed although there is nothing to push."""
    for topic, place in found:
        yield Fault.of(
            decider,
            "outbox",
            "waits without a slice",
            topic=topic,
            site_id=place[0],
            subject_id=place[1],
        )


def _absent(topic: str, pushed: PushedSlice, life: str) -> Iterator[Fault]:
    if pushed.waiting or life == "DESTROYED":
        return
    if topic == ORDERS and not life and not pushed.body:
        # Every order for a subject that the vault does not have was refused.
        return
    yield _pushed_fault(topic, pushed, "counts as confirmed, but the vault does not hold it")


def _compared(topic: str, told: Told, stands: HeldSlice) -> Iterator[Fault]:
    pushed = told.slice
    if stands.version > pushed.version:
        yield _pushed_fault(topic, pushed, f"the vault holds a later version {_text(stands)}")
        return
    bodies = _bodies(topic, told)
    expected = bodies.get(stands.version)
    if expected is not None and hashlib.sha256(expected).digest() != stands.digest:
        yield _held_fault("slices", topic, stands.place, "the digest is not that of its version")
    if pushed.waiting:
        return
    if expected is None:
        what = f"counts as confirmed, but the vault holds version {_text(stands)}"
        yield _pushed_fault(topic, pushed, what)
        return
    yield from _content_faults(topic, pushed, stands)


def _bodies(topic: str, told: Told) -> Mapping[tuple[int, int], bytes]:
    """The bytes of the versions that the vault may hold of a confirmed slice."""
    incarnation, counter = told.slice.version
    bodies = {told.slice.version: told.slice.body}
    if topic == CONSENT and told.before_answers:
        bodies[(incarnation, counter - 1)] = told.before_answers
    return bodies


def _content_faults(topic: str, pushed: PushedSlice, stands: HeldSlice) -> Iterator[Fault]:
    try:
        told = content_of(topic, pushed.body)
    except Unreadable:
        yield _pushed_fault(topic, pushed, "cannot be read")
        return
    try:
        held = content_of(topic, stands.body)
    except Unreadable:
        yield _held_fault("slices", topic, stands.place, "the body cannot be read")
        return
    different = difference(told, held)
    if different:
        yield _held_fault("slices", topic, stands.place, different)
    elif canonical(held) not in (None, stands.body):
        yield _held_fault("slices", topic, stands.place, "the body is not in its one form")


def _place_of(pair: tuple[Told | None, HeldSlice | None]) -> Place:
    told, stands = pair
    if told is not None:
        return told.slice.place
    assert stands is not None
    return stands.place


def _text(stands: HeldSlice) -> str:
    return f"{stands.version[0]}/{stands.version[1]}"


def _pushed_fault(topic: str, pushed: PushedSlice, what: str) -> Fault:
    site, subject = pushed.place
    return Fault.of(
        DECIDER_OF[topic], "slices", what, topic=topic, site_id=site, subject_id=subject
    )


def _held_fault(table: str, topic: str, place: Place, what: str) -> Fault:
    site, subject = place
    if table == "subjects" or topic == "":
        return Fault.of("vault", table, what, site_id=site, subject_id=subject)
    if topic == SCHEDULE:
        return Fault.of("vault", table, what, site_id=site, topic=topic)
    return Fault.of("vault", table, what, site_id=site, subject_id=subject, topic=topic)
