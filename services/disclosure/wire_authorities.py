# SPDX-License-Identifier: Apache-2.0
"""State bodies and their requests as the messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qupia.disclosure.v1 import authorities_pb2, authority_requests_pb2
from qupia.vault.v1 import authority_pb2
from services.disclosure import wire
from services.disclosure.authority import Authority
from services.disclosure.authority_release import AuthorityRelease
from services.disclosure.authority_request import (
    AuthorityRequest,
    Category,
    GroundKind,
    RequestState,
)
from services.disclosure.store_authority_requests import Tally

_Ground = authority_requests_pb2.LegalGround
_Document = authority_requests_pb2.LegalDocument
_Task = authority_requests_pb2.AuthorityTask
_Request = authority_requests_pb2.AuthorityRequest


def authority_message(authority: Authority) -> authorities_pb2.Authority:
    """A body as officers see it."""
    return authorities_pb2.Authority(
        authority_id=authority.authority_id,
        legal_name=authority.legal_name,
        bin=authority.bin,
        state=authorities_pb2.Authority.State.Value(authority.state),
        register_time=wire.timestamp(authority.register_time),
    )


def request_message(
    request: AuthorityRequest, now: datetime, *, stored: bool
) -> authority_requests_pb2.AuthorityRequest:
    """A request at `now`, without the official's name and the texts."""
    ground, document = request.ground, request.document
    return _Request(
        request_id=request.request_id,
        authorization=authority_requests_pb2.Authorization(
            authority_id=request.authority_id,
            ground=_Ground(
                kind=_Ground.Kind.Value(ground.kind),
                act=ground.act,
                article=ground.article,
                claim_id=ground.claim_id,
            ),
            document=_Document(
                kind=_Document.Kind.Value(document.kind),
                number=document.number,
                date=document.day.isoformat(),
                sha256=document.sha256,
            ),
            subject_id=request.subject_id,
            secret_until_time=wire.timestamp(request.secret_until),
            expire_time=wire.timestamp(request.expire_time),
            due_date=request.due.due_date.isoformat(),
        ),
        tasks=[
            _Task(
                category=_Task.Category.Value(each),
                state=_Task.State.Value(_task_state(request, each)),
            )
            for each in request.categories
        ],
        state=_Request.State.Value(request.at(now)),
        submit_time=wire.timestamp(request.decision.submit_time),
        decide_time=wire.timestamp(request.decision.decide_time),
        pick_up_time=wire.timestamp(request.pick_up_time),
        released_under_block=request.disputed_since is not None,
        stored=stored,
        due_time=wire.timestamp(request.due.due_time),
        overdue=request.overdue(now),
        repeat_until_time=wire.timestamp(request.repeat_until(now)),
    )


def _task_state(request: AuthorityRequest, category: Category) -> str:
    if request.state is RequestState.PENDING:
        return "ASKED"
    if category not in request.approved:
        return "REFUSED"
    return "GIVEN" if request.state is RequestState.PICKED_UP else "APPROVED"


def categories_of(numbers: Sequence[_Task.Category.ValueType]) -> list[Category]:
    """Categories by their numbers in their own order, each once; what is none is left out."""
    named = {_Task.Category.Name(number) for number in numbers if number}
    return [each for each in Category if each in named]


def ground_kind(message: authority_requests_pb2.LegalGround) -> GroundKind | None:
    """The kind of a ground; None where none is given."""
    return GroundKind(_Ground.Kind.Name(message.kind)) if message.kind else None


def document_kind(message: authority_requests_pb2.LegalDocument) -> str:
    """The kind of a document; empty where none is given."""
    return _Document.Kind.Name(message.kind) if message.kind else ""


def moment(message: Timestamp, *, given: bool) -> datetime | None:
    """The instant of a message; None where it is absent."""
    return wire.instant(message) if given else None


def day(text: str) -> date | None:
    """A calendar day; None where none is given."""
    return date.fromisoformat(text) if text else None


def count_message(tally: Tally) -> authority_requests_pb2.AuthorityCount:
    """A row of the statistics."""
    return authority_requests_pb2.AuthorityCount(
        authority_id=tally.authority_id,
        legal_name=tally.legal_name,
        ground=_Ground.Kind.Value(tally.ground),
        outcome=_Request.State.Value(tally.outcome),
        count=tally.count,
    )


def question(request: AuthorityRequest) -> authority_pb2.AuthorityQuestion:
    """What the vault is asked: what was asked for and approved, and nothing else."""
    verifying = request.ground.kind is GroundKind.COMPLAINT_VERIFICATION
    return authority_pb2.AuthorityQuestion(
        site_id=request.site_id,
        subject_id=request.subject_id,
        categories=[
            authority_pb2.DataCategory.Code.Value(each)
            for each in request.categories
            if each in request.approved
        ],
        compelled=request.decision.compelled,
        claim_id=request.ground.claim_id if verifying else "",
    )


def read(
    request: AuthorityRequest, release: AuthorityRelease, now: datetime
) -> authority_pb2.ReadForAuthorityRequest:
    """The vault's read for a prepared release."""
    return authority_pb2.ReadForAuthorityRequest(
        question=question(request),
        request_id=request.request_id,
        authority_id=request.authority_id,
        release_id=release.release_id,
        secret_until_time=wire.timestamp(request.secrecy(now)),
        ground=request.ground.kind,
        first_release_id=release.first_release_id,
    )
