# SPDX-License-Identifier: Apache-2.0
"""The way every act of a subject takes: recorded, pushed, answered with what the vault said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NoReturn

from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.decider.pusher import Pusher
from services.chassis.decider.store import PENDING, REFUSED, SUBJECT_DESTROYED, Act, read_act
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import NotFound, SubjectLinked, refusal_of
from services.consent.book import Book, Event, Kind
from services.consent.declaration import HERE_AND_NOW
from services.consent.purposes import CLAUSE_OF_CONSENT
from services.consent.store_events import read_event
from services.consent.store_journal import Journal, Page
from services.consent.store_subjects import read_book

_LEFT_FOR_THE_ANSWER_SECONDS = 0.5

Draft = Callable[[Page, str], Event]
"""Decides on an open page and makes the event with the id given; may refuse."""


class WhenLinked(Enum):
    """What becomes of a call that names a visitor who is linked to an account (1.1.5).

    REFUSED: the visitor takes nothing new. ACCOUNTS: what restricts is the person's word, and is
    recorded of the account that the visitor's standing is. VISITORS: it is about the link itself.
    """

    REFUSED = auto()
    ACCOUNTS = auto()
    VISITORS = auto()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call recorded, now or when it first came, and what stands now."""

    subject_id: str
    event: Event
    act: Act
    book: Book


class Enforcer:
    """Brings recorded acts to the vault before they are acknowledged."""

    def __init__(self, database: Database, pusher: Pusher) -> None:
        self._database = database
        self._pusher = pusher

    def enforce(self, call: Call, act: Act) -> Act:
        """Push the act's slice while the caller waits; the act as it stands then.

        Raises the vault's refusal of a proposal, which stays recorded.
        """
        if act.enforcement == PENDING:
            self._pusher.push(act.key, call.remaining() - _LEFT_FOR_THE_ANSWER_SECONDS)
            with self._database.transaction() as connection:
                act = read_act(connection, act.act_id) or act
        # What was to permit something never will; what restricts has nothing left to restrict.
        destroyed = act.enforcement == SUBJECT_DESTROYED and act.proposal
        if act.enforcement == REFUSED or destroyed:
            # The act and the vault's verdict stand in evidence already.
            call.recorded = True
            raise refusal_of(act.reason)
        return act


class Recording:
    """Records the acts of subjects."""

    def __init__(
        self,
        database: Database,
        keys: IdempotencyKeys,
        journal: Journal,
        enforcer: Enforcer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keys = keys
        self._journal = journal
        self._enforcer = enforcer
        self._clock = clock

    def record(
        self,
        call: Call,
        subject_id: str,
        draft: Draft,
        when_linked: WhenLinked = WhenLinked.REFUSED,
    ) -> Recorded:
        """Record what `draft` makes of the call, once per Idempotency-Key, and enforce it.

        An empty `subject_id` stands for a subject that is just being born.
        Raises NotFound for a subject that the site does not have, SubjectLinked,
        and what `draft` and the vault refuse with.
        """
        site_id, event_id = call.principal.site_id, new_uuid()
        with self._database.transaction() as connection:
            stood = self._keys.begin(connection, call, event_id, self._clock.now())
            if stood == event_id:
                page = self._page(connection, site_id, subject_id, when_linked)
                event = draft(page, event_id)
                superseded = page.write(event)
                said_as, subject_id = subject_id, page.key.subject_id
                entry = _entry(connection, call, subject_id, event, superseded, said_as)
                evidence.append(connection, entry, page.now)
                act = page.act or read_act(connection, event.act_id)
            else:
                subject_id, event = read_event(connection, site_id, stood) or _lost()
                act = read_act(connection, event.act_id)
        act = self._enforcer.enforce(call, act or _lost())
        with self._database.transaction() as connection:
            book = read_book(connection, site_id, subject_id) or _lost()
        return Recorded(subject_id, event, act, book)

    def _page(
        self, connection: Connection, site_id: str, subject_id: str, when_linked: WhenLinked
    ) -> Page:
        if not subject_id:
            return self._journal.open_new(connection, site_id, new_subject_id())
        page = self._journal.open(connection, site_id, subject_id)
        link = page.book.links.live
        if link is None or when_linked is WhenLinked.VISITORS:
            return page
        if when_linked is WhenLinked.REFUSED:
            raise SubjectLinked
        # Always the visitor first, then its account, which points to nobody.
        return self._journal.open(connection, site_id, link.account_id)


def _lost() -> NoReturn:
    # What an earlier transaction wrote beside its key cannot be missing; where it
    # is, the caller learns no more than that.
    raise NotFound


def _clause_of(event: Event) -> str:
    if event.kind in (Kind.LINKED, Kind.UNLINKED):
        return "1.1.5"
    return "2.2" if event.kind is Kind.REJECTED else "2.1"


def _entry(
    connection: Connection,
    call: Call,
    subject_id: str,
    event: Event,
    superseded: tuple[str, ...],
    said_as: str,
) -> Entry:
    site_id = call.principal.site_id
    decided_on: dict[str, object] = {}
    if event.account_id:
        decided_on["account"] = pseudonym_of(connection, site_id, event.account_id)
    if said_as not in ("", subject_id):
        decided_on["saidAs"] = pseudonym_of(connection, site_id, said_as)
    if event.policy_version:
        decided_on |= {"policyVersion": event.policy_version, "policySha256": event.policy_sha256}
    if superseded:
        decided_on["supersedes"] = list(superseded)
    declaration = event.declaration
    authority, paper = declaration.authority, declaration.paper
    if declaration != HERE_AND_NOW:
        decided_on["declarant"] = str(declaration.declarant)
    if declaration.declare_time is not None:
        decided_on["declareTime"] = declaration.declare_time.isoformat(timespec="microseconds")
    digests = {
        "page": event.use.page_digest if event.use else "",
        "technical": event.use.technical_digest if event.use else "",
        "wording": event.wording_sha256,
        "authority": authority.sha256 if authority else "",
        "paper": paper.sha256 if paper else "",
    }
    refs = {
        "act_id": event.act_id,
        "event_id": event.event_id,
        "purpose": event.purpose,
        "authority": authority.reference if authority else "",
        "paper": paper.reference if paper else "",
        "fault": event.link_fault,
        "reference": event.link_reference,
    }
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=evidence.DONE,
        site_id=site_id,
        principal=call.principal.name,
        role=call.role,
        subject=pseudonym_of(connection, site_id, subject_id),
        clause=CLAUSE_OF_CONSENT.get(event.purpose) or _clause_of(event),
        refs={name: value for name, value in refs.items() if value},
        decided_on=decided_on,
        digests={name: value for name, value in digests.items() if value},
    )
