# SPDX-License-Identifier: Apache-2.0
"""Visitors linked to accounts, and wrong links undone (clause 1.1.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from qupia.consent.v1 import links_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    PolicyDisagreed,
    StateConflict,
    SubjectLinked,
)
from services.consent.book import Event, Kind
from services.consent.servicer_recording import Recorded, Recording, WhenLinked
from services.consent.servicer_states import entry_of
from services.consent.store_journal import Page
from services.consent.store_links import LinkRow, has_visitors, list_links, read_links
from services.consent.store_subjects import subject_exists
from services.consent.wire import enforcement, timestamp

_SHOWN, _MOST_SHOWN = 100, 1000


class LinkServicer:
    """Handles links. The path names the account, the body the visitor whose slice carries it."""

    def __init__(
        self, database: Database, recording: Recording, tokens: PageTokens, clock: Clock
    ) -> None:
        self._database = database
        self._recording = recording
        self._tokens = tokens
        self._clock = clock

    def link_visitor(self, call: Call) -> links_pb2.LinkVisitorResponse:
        """A proposal to the vault. Raises NotFound, SubjectLinked, PolicyDisagreed.

        Raises InvalidArgument for one and the same id, StateConflict where the visitor was linked
        too often. The vault refuses what only it can know, such as a block.
        """
        request = cast(links_pb2.LinkVisitorRequest, call.request)
        account_id = request.subject_id
        if account_id == request.visitor_id:
            fault = FieldViolation(
                "visitorId", "another", "has to be another id than the account's"
            )
            raise InvalidArgument(fields=[fault])

        def draft(page: Page, event_id: str) -> Event:
            _require_linkable(page, account_id)
            act = page.record_act(call.method.evidence, proposal=True)
            return Event(
                event_id,
                Kind.LINKED,
                page.time,
                call.principal.name,
                act.act_id,
                account_id=account_id,
            )

        recorded = self._recording.record(call, request.visitor_id, draft)
        return links_pb2.LinkVisitorResponse(
            link=_answered(recorded),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def unlink_visitor(self, call: Call) -> links_pb2.UnlinkVisitorResponse:
        """The end of a link, in force or on its way. Raises NotFound, StateConflict."""
        request = cast(links_pb2.UnlinkVisitorRequest, call.request)

        def draft(page: Page, event_id: str) -> Event:
            link = page.book.links.last
            if link is None or link.account_id != request.subject_id:
                fault = FieldViolation("visitorId", "linked", "is not linked to this account")
                raise StateConflict(clause="1.1.5", fields=[fault])
            act = page.record_act(call.method.evidence, proposal=False)
            return Event(
                event_id,
                Kind.UNLINKED,
                page.time,
                call.principal.name,
                act.act_id,
                account_id=link.account_id,
                link_fault=links_pb2.Link.Fault.Name(request.fault),
                link_reference=request.reference,
            )

        recorded = self._recording.record(call, request.visitor_id, draft, WhenLinked.VISITORS)
        return links_pb2.UnlinkVisitorResponse(
            link=_answered(recorded),
            act_id=recorded.act.act_id,
            enforcement=enforcement(recorded.act),
        )

    def list_links(self, call: Call) -> links_pb2.ListLinksResponse:
        """The links of a subject, as account or as visitor. Raises NotFound."""
        request = cast(links_pb2.ListLinksRequest, call.request)
        size = page_size(request.page_size, _SHOWN, _MOST_SHOWN)
        site_id, subject_id = call.principal.site_id, request.subject_id
        scope = f"links|{site_id}|{subject_id}"
        place = self._tokens.open(scope, request.page_token)
        after = (datetime.fromisoformat(str(place[0])), str(place[1])) if place else None
        with self._database.transaction() as connection:
            if not subject_exists(connection, site_id, subject_id):
                raise NotFound
            found = list_links(connection, site_id, subject_id, after, size + 1)
            evidence.append(connection, entry_of(connection, call, subject_id), self._clock.now())
        shown = found[:size]
        last = shown[-1].link if len(found) > size else None
        token = [last.time.astimezone(UTC).isoformat(), last.act_id] if last else []
        return links_pb2.ListLinksResponse(
            links=[_message(row) for row in shown],
            next_page_token=self._tokens.make(scope, token) if last else "",
        )


def _require_linkable(page: Page, account_id: str) -> None:
    """What this service can tell; the vault decides, under the locks of both."""
    connection, site_id = page.connection, page.key.site_id
    if not subject_exists(connection, site_id, account_id):
        raise NotFound
    if page.book.links.full:
        raise StateConflict(clause="1.1.5")
    if (
        page.book.links.last is not None
        or read_links(connection, site_id, account_id).last is not None
        or has_visitors(connection, site_id, page.key.subject_id)
    ):
        raise SubjectLinked
    if page.book.agreement.disagreed:
        raise PolicyDisagreed


def _answered(recorded: Recorded) -> links_pb2.Link | None:
    """The link that a call was about, as it stands now."""
    links = recorded.book.links
    every = [*((link, True) for link in links.settled), (links.proposed, False)]
    for link, settled in reversed(every):
        if link is not None and link.account_id == recorded.event.account_id:
            return _message(LinkRow(recorded.subject_id, link, settled))
    return None


def _message(row: LinkRow) -> links_pb2.Link:
    state = links_pb2.Link.LINKED if row.settled else links_pb2.Link.PENDING
    return links_pb2.Link(
        account_id=row.link.account_id,
        visitor_id=row.visitor_id,
        state=links_pb2.Link.ENDED if row.link.end_time else state,
        link_time=timestamp(row.link.time),
        end_time=timestamp(row.link.end_time),
    )
