# SPDX-License-Identifier: Apache-2.0
"""ListTasks, ListInterim: what officers have to do, and what they have to know (clause 6.2.3)."""

from datetime import date
from typing import cast

from qupia.claims.v1 import verification_pb2
from qupia.vault.v1 import blocking_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import FieldViolation, InvalidArgument
from services.claims import store_acts, store_tasks, wire
from services.claims.servicer_common import Office, attribution, require_officer
from services.claims.store_tasks import Place

_PAGE, _LARGEST_PAGE = 100, 1000
_VAULT_SECONDS = 3.0


class Tasks:
    """Lists for officers."""

    def __init__(self, office: Office, pages: PageTokens) -> None:
        self._office = office
        self._pages = pages

    def list_tasks(self, call: Call) -> verification_pb2.ListTasksResponse:
        """A page of the site's tasks, the most urgent first. Raises InvalidArgument."""
        request = cast(verification_pb2.ListTasksRequest, call.request)
        site_id = call.principal.site_id
        kind = verification_pb2.Task.Kind.Name(request.kind) if request.kind else None
        due_before = date.fromisoformat(request.due_before) if request.due_before else None
        scope = f"tasks|{site_id}|{kind}|{due_before}|{request.include_done}"
        size = page_size(request.page_size, _PAGE, _LARGEST_PAGE)
        with self._office.database.transaction() as connection:
            found = store_tasks.list_tasks(
                connection,
                site_id,
                kind,
                due_before,
                self._place(scope, request.page_token),
                size + 1,
                include_done=request.include_done,
            )
        token = ""
        if len(found) > size:
            day, claim_id, subject_id, name = found[size - 1].place
            token = self._pages.make(scope, (day.isoformat(), claim_id, subject_id, name))
        return verification_pb2.ListTasksResponse(
            tasks=[wire.task_message(task) for task in found[:size]], next_page_token=token
        )

    def _place(self, scope: str, token: str) -> Place | None:
        place = self._pages.open(scope, token)
        if place is None:
            return None
        day, claim_id, subject_id, kind = (str(part) for part in place)
        return date.fromisoformat(day), claim_id, subject_id, kind

    def list_interim(self, call: Call) -> verification_pb2.ListInterimResponse:
        """A page of what was done before a claim's block. Raises NotFound, InvalidArgument,
        Unavailable, VaultNotReady."""
        require_officer(call)
        office = self._office
        request = cast(verification_pb2.ListInterimRequest, call.request)
        claim = office.read(call, request.claim_id)
        if request.subject_id and request.subject_id not in claim.subject_ids:
            raise _wrong("unknown", "is not named in the claim")
        if not request.subject_id and len(claim.subject_ids) > 1:
            raise _wrong("required", "the claim names several subjects")
        if not claim.subject_ids:
            return verification_pb2.ListInterimResponse()
        asked = blocking_pb2.ListInterimRequest(
            site_id=claim.site_id,
            subject_id=request.subject_id or claim.subject_ids[0],
            claim_id=claim.claim_id,
            reader=call.principal.name,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        seconds = min(_VAULT_SECONDS, call.remaining())
        found = office.vault.interim(asked, seconds, call.reference)
        with office.database.transaction() as connection:
            store_acts.append_evidence(
                connection,
                claim,
                attribution(call),
                {},
                {},
                {},
                office.clock.now(),
                evidence.PERMITTED,
            )
        return _answer(found)


def _answer(found: blocking_pb2.ListInterimResponse) -> verification_pb2.ListInterimResponse:
    answer = verification_pb2.ListInterimResponse(
        acts=[
            verification_pb2.InterimAct(
                entry_id=act.entry_id,
                time=act.time,
                event=act.event,
                verb=act.verb,
                principal=act.principal,
                purpose=act.purpose,
            )
            for act in found.acts
        ],
        next_page_token=found.next_page_token,
    )
    if found.HasField("interim"):
        answer.since_time.CopyFrom(found.interim.since_time)
        answer.until_time.CopyFrom(found.interim.until_time)
        answer.total = found.interim.acts
    return answer


def _wrong(rule: str, description: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation("subjectId", rule, description)])
