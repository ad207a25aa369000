# SPDX-License-Identifier: Apache-2.0
"""GetNotices, RecordNoAnswerNotice: what was told of a claim's term (clauses 8.2, 8.3)."""

from dataclasses import replace
from datetime import datetime
from typing import cast

from qupia.claims.v1 import claims_pb2, notices_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.refusal import NotFound, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_clock, store_tasks, wire
from services.claims.answer import Sending
from services.claims.documents import DocumentKind, Text
from services.claims.notice import Notice, NoticeKind
from services.claims.servicer_common import Office, refuse, require_officer
from services.claims.servicer_dispatch import given_dispatch, time_faults
from services.claims.state import Dispatch
from services.claims.store_tasks import TaskKind


class Notices:
    """Lists and records notices."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def get_notices(self, call: Call) -> notices_pb2.GetNoticesResponse:
        """What was told of a claim of the caller's site. Raises NotFound."""
        request = cast(notices_pb2.GetNoticesRequest, call.request)
        claim = self._office.read(call, request.claim_id)
        with self._office.database.transaction() as connection:
            found = store_clock.notices_of(connection, (claim.site_id, claim.claim_id))
        return notices_pb2.GetNoticesResponse(notices=[_message(each) for each in found])

    def record_no_answer_notice(self, call: Call) -> notices_pb2.RecordNoAnswerNoticeResponse:
        """Record how the claimant was told that nobody answered.

        Raises PermissionDenied, NotFound, InvalidArgument, StateConflict (the term has not passed,
        or it was told), Unavailable.
        """
        require_officer(call)
        request = cast(notices_pb2.RecordNoAnswerNoticeRequest, call.request)
        dispatch = given_dispatch(request.dispatch)
        office, place = self._office, (call.principal.site_id, request.claim_id)
        attempt = new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            if office.keys.begin(connection, call, attempt, now) == attempt:
                self._record(connection, call, dispatch, now)
            notice = store_clock.read_notice(connection, place, NoticeKind.NO_ANSWER)
        if notice is None:
            raise StateConflict
        office.bring_into_force(call, office.read(call, request.claim_id))
        return notices_pb2.RecordNoAnswerNoticeResponse(notice=_message(notice))

    def _record(
        self, connection: Connection, call: Call, dispatch: Dispatch, now: datetime
    ) -> None:
        request = cast(notices_pb2.RecordNoAnswerNoticeRequest, call.request)
        site_id = call.principal.site_id
        claim = store.read_claim(connection, site_id, request.claim_id, lock=True)
        if claim is None:
            raise NotFound
        place = (claim.site_id, claim.claim_id)
        notice = store_clock.read_notice(connection, place, NoticeKind.NO_ANSWER, lock=True)
        if notice is None or notice.sending is Sending.SENT or notice.channel is not None:
            raise StateConflict
        refuse(time_faults(dispatch, claim.deadline.due_time, now))
        proof = Text(DocumentKind.DISPATCH_PROOF, dispatch.proof)
        step = self._office.step(call, sealed_store.current_key(connection), claim, [proof])
        sealed_store.insert_documents(connection, step.documents, now)
        notice = replace(
            notice,
            sending=Sending.NOT_BY_EMAIL,
            channel=dispatch.channel,
            dispatch_time=dispatch.time,
        )
        store_clock.write_notice(connection, claim, notice)
        store_tasks.done(connection, *place, TaskKind.TELL_NO_ANSWER, now)
        decided_on = {"channel": dispatch.channel}
        store_acts.append_evidence(connection, claim, step.by, {}, decided_on, step.digests, now)


def _message(notice: Notice) -> notices_pb2.ClaimNotice:
    kinds = notices_pb2.ClaimNotice
    message = kinds(
        kind=kinds.Kind.Value(notice.kind),
        sending=kinds.Sending.Value(notice.sending),
        create_time=wire.stamp(notice.create_time),
    )
    if notice.channel is not None:
        message.channel = claims_pb2.Dispatch.Channel.Value(notice.channel)
    if notice.dispatch_time is not None:
        message.dispatch_time.CopyFrom(wire.stamp(notice.dispatch_time))
    return message
