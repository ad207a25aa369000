# SPDX-License-Identifier: Apache-2.0
"""Handlers of state bodies' requests: entry, reading, the decision of a second person (5.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import cast

from qupia.disclosure.v1 import authority_requests_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.deadline import Deadline, local_time
from services.chassis.ids import new_uuid
from services.chassis.paging import page_size
from services.chassis.pipeline import Handler
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    LegalGroundMissing,
    Refusal,
    Unavailable,
    refusal_of,
)
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import StoredDocument
from services.disclosure import (
    store_authority_releases,
    store_authority_requests,
    store_ledger,
    wire,
    wire_authorities,
)
from services.disclosure.authority_release import CLAUSE, line
from services.disclosure.authority_request import (
    AuthorityRequest,
    Decision,
    LegalDocument,
    LegalGround,
    RequestState,
    answer_deadline,
    approval_denial,
    expiry,
    missing,
    rejection_denial,
    time_faults,
)
from services.disclosure.authority_texts import Official, Text, TextKind
from services.disclosure.ledger import Outcome
from services.disclosure.permission import Denial
from services.disclosure.servicer_acts import DONE, PERMITTED, REFUSED, entry
from services.disclosure.servicer_authorities import require_person
from services.disclosure.servicer_authority_desk import Desk, body_denial, proof
from services.disclosure.store_authority_requests import Owed

_R = authority_requests_pb2
_PAGE, _MOST = 50, 100
_READ_SECONDS = 2.0
_FIRST_YEAR = 2020
_Decided = Callable[[Connection, AuthorityRequest, datetime], None]
_Denial = Callable[[AuthorityRequest, str, datetime], str]


class AuthorityRequestServicer:
    """Takes requests in, shows them, approves and rejects them, counts them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "SubmitAuthorityRequest": self.submit_authority_request,
            "GetAuthorityRequest": self.get_authority_request,
            "ListAuthorityRequests": self.list_authority_requests,
            "ApproveAuthorityRequest": self.approve_authority_request,
            "RejectAuthorityRequest": self.reject_authority_request,
            "SummarizeAuthorityRequests": self.summarize_authority_requests,
        }

    def submit_authority_request(self, call: Call) -> _R.SubmitAuthorityRequestResponse:
        """Enter a complete request, PENDING (T-5.3-b).

        Raises InvalidArgument for a time that cannot be, LegalGroundMissing naming what is missing
        (T-5.3-a), AuthorityNotVerified for a commercial recipient (T-5.3-c), RecipientNotPermitted
        for a body that is not active.
        """
        asked = cast(_R.SubmitAuthorityRequestRequest, call.request).request
        require_person(call)
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.transaction() as connection:
            # What was entered was good then, whatever has changed since.
            request_id = desk.keys.standing(connection, call)
        if request_id is None:
            request_id = self._submit(call, asked, now)
        desk.deliver(call, request_id)
        with desk.database.transaction() as connection:
            found = desk.find(connection, call, request_id)
            return _R.SubmitAuthorityRequestResponse(request=desk.message(connection, found))

    def _submit(self, call: Call, asked: _R.AuthorityRequest, now: datetime) -> str:
        _check_times(asked, now)
        desk, request_id = self._desk, ""
        with desk.database.transaction() as connection:
            against = _against(connection, call, asked)
            if against is None:
                request_id = self._enter(connection, call, asked, now)
            else:
                _record_refused(connection, desk, call, asked, against, now)
                call.recorded = True
        if against is not None:
            raise against
        return request_id

    def _enter(
        self, connection: Connection, call: Call, asked: _R.AuthorityRequest, now: datetime
    ) -> str:
        official = asked.authorization.official
        texts = [Text(TextKind.OFFICIAL, Official(official.name, official.position).as_json)]
        if asked.authorization.document.text:
            texts.append(Text(TextKind.DOCUMENT, asked.authorization.document.text))
        wanted = wire_authorities.day(asked.authorization.due_date)
        due = answer_deadline(wanted, now, self._desk.calendar)
        request = _request_of(call, asked, texts, due, now)
        stands = self._desk.keys.begin(connection, call, request.request_id, now)
        if stands != request.request_id:
            return stands
        place = (request.site_id, request.request_id)
        self._desk.keep_texts(connection, place, texts, now)
        store_authority_requests.save(connection, request)
        subject = pseudonym_of(connection, request.site_id, request.subject_id)
        evidence.append(connection, proof(call, DONE, request, now, subject=subject), now)
        return stands

    def get_authority_request(self, call: Call) -> _R.GetAuthorityRequestResponse:
        """A request with its texts, once the vault has them. Raises NotFound, Unavailable."""
        asked = cast(_R.GetAuthorityRequestRequest, call.request)
        require_person(call)
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.transaction() as connection:
            request = desk.find(connection, call, asked.authority_request_id)
            message = desk.message(connection, request)
            subject = pseudonym_of(connection, request.site_id, request.subject_id)
            evidence.append(connection, proof(call, PERMITTED, request, now, subject=subject), now)
            place = (request.site_id, request.request_id)
            texts = [
                (sealed_store.stored_at(connection, *place, name), given)
                for name, _, given, there in sealed_store.listed(connection, *place)
                if there
            ]
        for document, given in texts:
            if document is not None:
                self._add_text(call, message, document, given)
        return _R.GetAuthorityRequestResponse(request=message)

    def _add_text(
        self, call: Call, message: _R.AuthorityRequest, document: StoredDocument, given: datetime
    ) -> None:
        seconds = min(_READ_SECONDS, max(0.001, call.remaining()))
        text = self._desk.vault.get_document(document, call.principal.name, seconds)
        if document.kind == TextKind.OFFICIAL:
            official = Official.from_json(text)
            shown = message.authorization.official
            shown.name, shown.position = official.name, official.position
        elif document.kind == TextKind.REASON:
            message.reasons.add(time=wire.timestamp(given), text=text)
        else:
            message.authorization.document.text = text

    def list_authority_requests(self, call: Call) -> _R.ListAuthorityRequestsResponse:
        """Newest first, those under secrecy too. Raises InvalidArgument for both filters."""
        asked = cast(_R.ListAuthorityRequestsRequest, call.request)
        require_person(call)
        desk, site_id = self._desk, call.principal.site_id
        if asked.overdue and asked.due_before:
            raise _wrong("dueBefore", "not together with overdue")
        owed = None
        if asked.overdue or asked.due_before:
            owed = Owed(desk.clock.now(), wire_authorities.day(asked.due_before))
        size = page_size(asked.page_size, _PAGE, _MOST)
        scope = f"authority-requests|{site_id}|{asked.due_before}|{asked.overdue}"
        place = desk.tokens.open(scope, asked.page_token)
        before = (datetime.fromisoformat(str(place[0])), str(place[1])) if place else None
        with desk.database.transaction() as connection:
            found = store_authority_requests.listed(connection, site_id, before, size + 1, owed)
            messages = [desk.message(connection, each) for each in found[:size]]
        token = ""
        if len(found) > size:
            last = found[size - 1]
            submitted = last.decision.submit_time.isoformat()
            token = desk.tokens.make(scope, [submitted, last.request_id])
        return _R.ListAuthorityRequestsResponse(requests=messages, next_page_token=token)

    def approve_authority_request(self, call: Call) -> _R.ApproveAuthorityRequestResponse:
        """Approve categories, one by one.

        Raises AwaitingSecondApproval for who entered it, InvalidArgument for a category that was
        not asked for, StateConflict, NotFound.
        """
        asked = cast(_R.ApproveAuthorityRequestRequest, call.request)
        approved = tuple(wire_authorities.categories_of(asked.categories))
        if len(approved) != len(asked.categories):
            raise _wrong("categories", "names a category that is none, or one twice")

        def decided(connection: Connection, request: AuthorityRequest, now: datetime) -> None:
            if not set(approved) <= set(request.categories):
                raise _wrong("categories", "names a category that was not asked for")
            changed = replace(
                _decided(request, call, now), state=RequestState.APPROVED, approved=approved
            )
            store_authority_requests.save(connection, changed)
            told = {"approved": list(approved)}
            subject = pseudonym_of(connection, request.site_id, request.subject_id)
            entry_ = proof(call, DONE, request, now, subject=subject, decided_on=told)
            evidence.append(connection, entry_, now)

        message = self._decide(call, asked.authority_request_id, decided, approval_denial)
        return _R.ApproveAuthorityRequestResponse(request=message)

    def reject_authority_request(self, call: Call) -> _R.RejectAuthorityRequestResponse:
        """Reject, with a reason, what was given to nobody, also when its time is over.

        The person sees the line, like any refusal (T-6.2.2-b), once it is not secret.
        Raises InvalidArgument, StateConflict, NotFound, Unavailable, also while it is picked up.
        """
        asked = cast(_R.RejectAuthorityRequestRequest, call.request)
        if not asked.reason.strip():
            raise _wrong("reason", "has to be given")

        def decided(connection: Connection, request: AuthorityRequest, now: datetime) -> None:
            place = (request.site_id, request.request_id)
            if store_authority_releases.is_under_way(connection, *place):
                raise Unavailable(retry_after=1)
            if store_authority_releases.first_of(connection, *place):
                # It was let go once more after an attempt by which all may have left.
                raise refusal_of("STATE_CONFLICT", CLAUSE)
            lapsed = request.at(now) is RequestState.EXPIRED and bool(request.approved)
            rule = "request-lapsed" if lapsed else "request-not-approved"
            self._desk.keep_texts(connection, place, [Text(TextKind.REASON, asked.reason)], now)
            store_authority_requests.save(connection, _decided(request, call, now).rejected())
            against = Denial("LEGAL_GROUND_MISSING", CLAUSE, rule)
            told = line(request, new_uuid(), Outcome.REFUSED, now, against=against)
            was = {"state": request.at(now)}
            done = proof(call, DONE, request, now, decided_on=was)
            store_ledger.record_authority(connection, told, done)

        message = self._decide(call, asked.authority_request_id, decided, _rejection_denial)
        self._desk.deliver(call, asked.authority_request_id)
        return _R.RejectAuthorityRequestResponse(request=message)

    def _decide(
        self, call: Call, request_id: str, decided: _Decided, denial: _Denial
    ) -> _R.AuthorityRequest:
        require_person(call)
        desk, now, change_id = self._desk, self._desk.clock.now(), new_uuid()
        with desk.database.transaction() as connection:
            request = desk.find(connection, call, request_id, lock=True)
            if desk.keys.begin(connection, call, change_id, now) == change_id:
                reason = denial(request, call.principal.name, now)
                if reason:
                    raise refusal_of(reason, CLAUSE)
                decided(connection, request, now)
            found = desk.find(connection, call, request_id)
            return desk.message(connection, found)

    def summarize_authority_requests(self, call: Call) -> _R.SummarizeAuthorityRequestsResponse:
        """The requests of a year. Raises InvalidArgument for a year that cannot be."""
        asked = cast(_R.SummarizeAuthorityRequestsRequest, call.request)
        require_person(call)
        now = self._desk.clock.now()
        local = local_time(now)
        year = asked.year or local.year
        if not _FIRST_YEAR <= year <= local.year:
            raise _wrong("year", "a year that has begun")
        begin, end = (datetime(each, 1, 1, tzinfo=local.tzinfo) for each in (year, year + 1))
        with self._desk.database.transaction() as connection:
            tallies, secret = store_authority_requests.tallies(
                connection, call.principal.site_id, (begin, end), now
            )
        return _R.SummarizeAuthorityRequestsResponse(
            year=year,
            total=secret + sum(each.count for each in tallies),
            secret=secret,
            counts=[wire_authorities.count_message(each) for each in tallies],
        )


def _against(connection: Connection, call: Call, asked: _R.AuthorityRequest) -> Refusal | None:
    """What stands against entering a request: an incomplete ground, or who asks."""
    authorization = asked.authorization
    denial = body_denial(connection, call.principal.site_id, authorization.authority_id)
    if authorization.authority_id and denial is not None:
        return refusal_of(denial.reason, denial.clause)
    ground = authorization.ground
    kind = wire_authorities.ground_kind(ground)
    lacking = missing(_given(asked), kind, bool(ground.claim_id))
    if not lacking:
        return None
    fields = [FieldViolation(path, "required", "has to be given") for path in lacking]
    return LegalGroundMissing(CLAUSE, fields)


def _given(asked: _R.AuthorityRequest) -> dict[str, bool]:
    a = asked.authorization
    members = {
        "authorization.authorityId": a.authority_id,
        "authorization.official.name": a.official.name.strip(),
        "authorization.official.position": a.official.position.strip(),
        "authorization.ground.kind": a.ground.kind,
        "authorization.ground.act": a.ground.act.strip(),
        "authorization.ground.article": a.ground.article.strip(),
        "authorization.document.kind": a.document.kind,
        "authorization.document.number": a.document.number.strip(),
        "authorization.document.date": a.document.date,
        "authorization.document.sha256": a.document.sha256,
        "authorization.subjectId": a.subject_id,
        "tasks": wire_authorities.categories_of([task.category for task in asked.tasks]),
    }
    return {f"request.{path}": bool(value) for path, value in members.items()}


def _record_refused(
    connection: Connection,
    desk: Desk,
    call: Call,
    asked: _R.AuthorityRequest,
    against: Refusal,
    now: datetime,
) -> None:
    a = asked.authorization
    subject_id = a.subject_id
    secret = wire_authorities.moment(a.secret_until_time, given=a.HasField("secret_until_time"))
    missing_ = [field.field for field in against.fields]
    refused = entry(
        call,
        REFUSED,
        subject=pseudonym_of(connection, call.principal.site_id, subject_id),
        clause=against.clause,
        reason=against.reason,
        refs={"authority_id": a.authority_id},
        decided_on={"missing": missing_} if missing_ else {},
        secret_until=secret,
    )
    desk.refusals.record(connection, refused, now)


def _check_times(asked: _R.AuthorityRequest, now: datetime) -> None:
    """Raises InvalidArgument naming every time that cannot be."""
    a = asked.authorization
    faults = time_faults(
        wire_authorities.moment(a.expire_time, given=a.HasField("expire_time")),
        wire_authorities.moment(a.secret_until_time, given=a.HasField("secret_until_time")),
        wire_authorities.day(a.document.date),
        wire_authorities.day(a.due_date),
        now,
    )
    wrong = [
        FieldViolation(f"request.authorization.{f.field}", f.rule, f.description) for f in faults
    ]
    if wrong:
        raise InvalidArgument(fields=wrong)


def _request_of(
    call: Call, asked: _R.AuthorityRequest, texts: Sequence[Text], due: Deadline, now: datetime
) -> AuthorityRequest:
    """A complete request as it is entered."""
    a, day = asked.authorization, wire_authorities.day(asked.authorization.document.date)
    kind = wire_authorities.ground_kind(a.ground)
    expires = wire_authorities.moment(a.expire_time, given=a.HasField("expire_time"))
    named = {text.kind: text.document_id for text in texts}
    assert kind is not None
    assert isinstance(day, date)
    return AuthorityRequest(
        site_id=call.principal.site_id,
        request_id=new_uuid(),
        authority_id=a.authority_id,
        subject_id=a.subject_id,
        ground=LegalGround(kind, a.ground.act, a.ground.article, a.ground.claim_id),
        document=LegalDocument(
            wire_authorities.document_kind(a.document), a.document.number, day, a.document.sha256
        ),
        categories=tuple(wire_authorities.categories_of([t.category for t in asked.tasks])),
        due=due,
        expire_time=expires or expiry(due, now),
        secret_until=wire_authorities.moment(
            a.secret_until_time, given=a.HasField("secret_until_time")
        ),
        state=RequestState.PENDING,
        decision=Decision(call.principal.name, now),
        official_id=named[TextKind.OFFICIAL],
        text_id=named.get(TextKind.DOCUMENT, ""),
    )


def _rejection_denial(request: AuthorityRequest, _person: str, now: datetime) -> str:
    return rejection_denial(request, now)


def _decided(request: AuthorityRequest, call: Call, now: datetime) -> AuthorityRequest:
    by = replace(request.decision, decided_by=call.principal.name, decide_time=now)
    return replace(request, decision=by)


def _wrong(field: str, description: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation(field, "value", description)])
