# SPDX-License-Identifier: Apache-2.0
"""The book of one subject: what stands, as the fold of everything that happened.

`Book.apply` is the only way a book changes, and it needs nothing but the book
and the event: replaying a subject's events gives its book again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.consent.agreement import Agreement, Mode, Stance
from services.consent.consent import Consent, Fact
from services.consent.declaration import HERE_AND_NOW, Declaration
from services.consent.link import Link, Links
from services.consent.schedule import TICK
from services.consent.use import Strength, Use


class Kind(StrEnum):
    """What happened. APPLIED and REFUSED are the vault's answers to proposals.

    CARRIED_…: the vault holds an end, a disagreement or a link that a book set back to an earlier
    state had forgotten, and the book is mended with it.
    """

    REGISTERED = "REGISTERED"
    USED = "USED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    GRANTED = "GRANTED"
    WITHDRAWN = "WITHDRAWN"
    DECLINED = "DECLINED"
    LINKED = "LINKED"
    UNLINKED = "UNLINKED"
    CARRIED_CONSENT = "CARRIED_CONSENT"
    CARRIED_NO = "CARRIED_NO"
    CARRIED_DISAGREEMENT = "CARRIED_DISAGREEMENT"
    CARRIED_LINK = "CARRIED_LINK"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a subject.

    `time` is the server's, strictly growing per subject; `principal` who
    attests it; `act_id` the act it made or, for a use that changed nothing and
    for the vault's answers, the act it is about. The policy version is the one
    in force then, 0 where it does not matter. `account_id` is that of a link;
    `link_fault` and `link_reference` say why an officer ended it. `carried_time`
    and `carried_end_time` are those of a carried fact: its beginning (of a
    disagreement: the acceptance before it), and its end.
    """

    event_id: str
    kind: Kind
    time: datetime
    principal: str
    act_id: str
    policy_version: int = 0
    policy_sha256: str = ""
    language: str = ""
    use: Use | None = None
    purpose: str = ""
    wording_sha256: str = ""
    expire_time: datetime | None = None
    declaration: Declaration = HERE_AND_NOW
    account_id: str = ""
    link_fault: str = ""
    link_reference: str = ""
    carried_time: datetime | None = None
    carried_end_time: datetime | None = None

    @property
    def declared_time(self) -> datetime:
        """When the person spoke: the date of the paper where there is one."""
        return self.declaration.declare_time or self.carried_time or self.time


@dataclass(frozen=True, slots=True)
class Change:
    """A book after an event, and the acts on their way whose place the event took."""

    book: "Book"
    superseded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """What stands about a subject, after `events` events, the last one at `last_time`."""

    events: int = 0
    last_time: datetime | None = None
    agreement: Agreement = field(default_factory=Agreement)
    consents: Mapping[str, Consent] = field(default_factory=dict)
    links: Links = field(default_factory=Links)

    def moment(self, now: datetime) -> datetime:
        """The time of the next event: now, but after every earlier event.

        The order of a person's acts decides what stands, so it may not depend
        on a clock that stands still or steps back.
        """
        return now if self.last_time is None else max(now, self.last_time + TICK)

    def apply(self, event: Event) -> Change:
        """The book after an event."""
        changed = _RULES[event.kind](self, event)
        after = replace(changed, events=self.events + 1, last_time=event.time)
        if event.kind in (Kind.APPLIED, Kind.REFUSED):
            return Change(after, ())
        return Change(after, tuple(sorted(_on_their_way(self) - _on_their_way(after))))


def _on_their_way(book: Book) -> set[str]:
    consents = (consent.proposed for consent in book.consents.values())
    proposals = [book.agreement.proposed, *consents, book.links.proposed]
    return {p.act_id for p in proposals if p is not None}


def _used(book: Book, event: Event) -> Book:
    strength = event.use.strength if event.use else Strength.WEAK
    if book.agreement.changes_by_use(event.policy_version):
        acceptance = _stance(event, Mode.IMPLIED, strength)
        return replace(book, agreement=book.agreement.propose(acceptance))
    if book.agreement.disagreed:
        return book
    strengthened = book.agreement.strengthen(event.policy_version, strength)
    return replace(book, agreement=strengthened)


def _accepted(book: Book, event: Event) -> Book:
    acceptance = _stance(event, Mode.EXPRESS, Strength.STRONG)
    return replace(book, agreement=book.agreement.propose(acceptance))


def _rejected(book: Book, event: Event) -> Book:
    return replace(
        book,
        agreement=book.agreement.reject(_stance(event, Mode.DISAGREED, None)),
        consents={p: c.disagree(event.time) for p, c in book.consents.items()},
        links=book.links.disagree(event.time),
    )


def _granted(book: Book, event: Event) -> Book:
    return _with(book, event, _consent(book, event).grant(_fact(event, given=True)))


def _withdrawn(book: Book, event: Event) -> Book:
    no = _fact(event, given=False)
    return _with(book, event, _consent(book, event).withdraw(no, event.time))


def _declined(book: Book, event: Event) -> Book:
    no = _fact(event, given=False)
    return _with(book, event, _consent(book, event).decline(no, event.time))


def _settled(book: Book, event: Event) -> Book:
    applied = event.kind is Kind.APPLIED
    return replace(
        book,
        agreement=book.agreement.settle(event.act_id, applied=applied),
        consents={p: c.settle(event.act_id, applied=applied) for p, c in book.consents.items()},
        links=book.links.settle(event.act_id, applied=applied),
    )


def _linked(book: Book, event: Event) -> Book:
    link = Link(event.act_id, event.account_id, event.time)
    return replace(book, links=book.links.propose(link))


def _unlinked(book: Book, event: Event) -> Book:
    return replace(book, links=book.links.end(event.time))


def _carried_consent(book: Book, event: Event) -> Book:
    fact = Fact(
        event.act_id,
        event.kind is Kind.CARRIED_CONSENT,
        event.policy_version,
        event.declared_time,
        event.language,
        event.wording_sha256,
        event.expire_time,
        event.carried_end_time,
    )
    return _with(book, event, _consent(book, event).mend(fact))


def _carried_disagreement(book: Book, event: Event) -> Book:
    time = event.carried_end_time or event.time
    disagreement = Stance(Mode.DISAGREED, 0, "", "", None, time, event.act_id)
    accepted, since = book.agreement.accepted, event.carried_time
    if since is None:
        accepted = None
    elif accepted is None or accepted.time != since:
        accepted = replace(_stance(event, Mode.IMPLIED, Strength.WEAK), time=since)
    return replace(
        book,
        agreement=Agreement(accepted, book.agreement.proposed, disagreement),
        consents={p: c.disagreed_before(time) for p, c in book.consents.items()},
    )


def _carried_link(book: Book, event: Event) -> Book:
    begun = event.carried_time or event.time
    link = Link(event.act_id, event.account_id, begun, event.carried_end_time)
    return replace(book, links=book.links.mend(link))


def _consent(book: Book, event: Event) -> Consent:
    return book.consents.get(event.purpose, Consent())


def _with(book: Book, event: Event, consent: Consent) -> Book:
    return replace(book, consents={**book.consents, event.purpose: consent})


def _stance(event: Event, mode: Mode, strength: Strength | None) -> Stance:
    return Stance(
        mode,
        event.policy_version,
        event.policy_sha256,
        event.language,
        strength,
        event.time,
        event.act_id,
    )


def _fact(event: Event, *, given: bool) -> Fact:
    return Fact(
        event.act_id,
        given,
        event.policy_version,
        event.declared_time,
        event.language,
        event.wording_sha256,
        event.expire_time,
        None if given else event.declared_time,
    )


_RULES = {
    Kind.REGISTERED: _used,
    Kind.USED: _used,
    Kind.ACCEPTED: _accepted,
    Kind.REJECTED: _rejected,
    Kind.GRANTED: _granted,
    Kind.WITHDRAWN: _withdrawn,
    Kind.DECLINED: _declined,
    Kind.LINKED: _linked,
    Kind.UNLINKED: _unlinked,
    Kind.CARRIED_CONSENT: _carried_consent,
    Kind.CARRIED_NO: _carried_consent,
    Kind.CARRIED_DISAGREEMENT: _carried_disagreement,
    Kind.CARRIED_LINK: _carried_link,
    Kind.APPLIED: _settled,
    Kind.REFUSED: _settled,
}
