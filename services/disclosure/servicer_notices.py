# SPDX-License-Identifier: Apache-2.0
"""Handlers of the notices (clause 6.2.3, Law 24(1)(3))."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from qupia.disclosure.v1 import notices_pb2
from services.chassis import evidence
from services.chassis.calendar import WorkingCalendar
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.deadline import overdue_before
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.paging import PageTokens, page_size
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import NotFound
from services.disclosure import store_notices, store_recipients, wire
from services.disclosure.notice import FETCH_WORKING_DAYS, Notice, NoticeState
from services.disclosure.servicer_acts import DONE, entry

_PAGE, _MOST = 100, 1000
_RECIPIENT = "RECIPIENT"
_States = notices_pb2.Notice.State


class NoticeServicer:
    """Lists and acknowledges notices."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: IdempotencyKeys,
        tokens: PageTokens,
        calendar: WorkingCalendar,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._tokens = tokens
        self._calendar = calendar

    def list_notices(self, call: Call) -> notices_pb2.ListNoticesResponse:
        """A recipient's own, also of one that is suspended; an officer's are the site's.

        None over a connection without the certificate that the recipient's keys are bound to:
        whoever asks there is not the recipient, and has not been told.
        """
        request = cast(notices_pb2.ListNoticesRequest, call.request)
        site_id, now = call.principal.site_id, self._clock.now()
        own = call.principal.recipient_id if _RECIPIENT in call.principal.roles else ""
        state = NoticeState(_States.Name(request.state)) if request.state else None
        size = page_size(request.page_size, _PAGE, _MOST)
        scope = f"notices|{site_id}|{own}|{state or ''}|{request.overdue}"
        place = self._tokens.open(scope, request.page_token) or [""]
        made_before = None
        if request.overdue:
            made_before = overdue_before(now, FETCH_WORKING_DAYS, self._calendar)
        with self._database.transaction() as connection:
            if own and not _certified(connection, call):
                return notices_pb2.ListNoticesResponse()
            found = store_notices.listed(
                connection, site_id, own, state, str(place[0]), size + 1, made_before
            )
            if own:
                store_notices.send(
                    connection, site_id, [each.notice_id for each in found[:size]], now
                )
        more = len(found) > size
        return notices_pb2.ListNoticesResponse(
            notices=[self._message(each, now) for each in found[:size]],
            next_page_token=self._tokens.make(scope, [found[size - 1].notice_id]) if more else "",
        )

    def acknowledge_notice(self, call: Call) -> notices_pb2.AcknowledgeNoticeResponse:
        """The recipient has done it; a second time changes nothing. Raises NotFound."""
        request = cast(notices_pb2.AcknowledgeNoticeRequest, call.request)
        site_id, now = call.principal.site_id, self._clock.now()
        with self._database.transaction() as connection:
            notice = store_notices.find(connection, site_id, request.notice_id)
            if notice is None or notice.recipient_id != call.principal.recipient_id:
                raise NotFound
            if not _certified(connection, call):
                raise NotFound
            self._keys.begin(connection, call, notice.notice_id, now)
            if notice.state is not NoticeState.ACKNOWLEDGED:
                store_notices.acknowledge(connection, notice, now)
                refs = {"notice_id": notice.notice_id, "delivery_id": notice.delivery_id}
                subject = pseudonym_of(connection, site_id, notice.subject_id)
                evidence.append(connection, entry(call, DONE, subject=subject, refs=refs), now)
            found = store_notices.find(connection, site_id, request.notice_id)
        assert found is not None
        return notices_pb2.AcknowledgeNoticeResponse(notice=self._message(found, now))

    def _message(self, notice: Notice, now: datetime) -> notices_pb2.Notice:
        calendar = self._calendar
        return notices_pb2.Notice(
            notice_id=notice.notice_id,
            instruction=notices_pb2.Notice.Instruction.Value(notice.instruction),
            state=_States.Value(notice.state),
            recipient_id=notice.recipient_id,
            order_id=notice.order_id,
            delivery_id=notice.delivery_id,
            create_time=wire.timestamp(notice.create_time),
            send_time=wire.timestamp(notice.send_time),
            acknowledge_time=wire.timestamp(notice.acknowledge_time),
            due_time=wire.timestamp(notice.deadline(calendar).due_time),
            overdue=notice.overdue(calendar, now),
        )


def _certified(connection: Connection, call: Call) -> bool:
    caller = call.principal
    recipient = store_recipients.find(connection, caller.site_id, caller.recipient_id)
    return recipient is None or recipient.terms.certified(caller.certificate_sha256)
