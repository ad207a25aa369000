# SPDX-License-Identifier: Apache-2.0
"""Finding subjects and checking permissions: ids and answers, never data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from qupia.vault.v1 import search_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.pipeline import Handler
from services.chassis.recorder import references
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
    PermissionDenied,
    VaultNotReady,
    refusal_of,
)
from services.vault import store
from services.vault.decide import RULES_VERSION, Decision, Denial, Operation, Question
from services.vault.email_address import normalize_email
from services.vault.fields import Field
from services.vault.gate import Read, Refused, decide_case
from services.vault.phone import normalize_phone
from services.vault.provider import KeyProviderError
from services.vault.search import Find, Search
from services.vault.servicer import problem_of
from services.vault.servicer_reads import read_of
from services.vault.site_fields import SiteLists
from services.vault.templates import with_templates
from services.vault.violation import FieldInvalid

_NORMALIZERS = {Field.EMAIL: normalize_email, Field.PHONE: normalize_phone}


class SearchServicer:
    """VaultSearchService of the contract."""

    def __init__(self, database: Database, search: Search, lists: SiteLists, clock: Clock) -> None:
        self._database = database
        self._lists = lists
        self._search = search
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "FindSubjects": self.find_subjects,
            "CheckPermissions": self.check_permissions,
        }

    def find_subjects(self, call: Call) -> search_pb2.FindSubjectsResponse:
        """Whom a contact leads to, as far as the caller may have them."""
        find = _find(call)
        try:
            found = self._search.find(find)
        except KeyProviderError:
            raise KeyUnavailable from None
        call.recorded = True
        if isinstance(found, Denial):
            raise refusal_of(found.reason, found.clause)
        return search_pb2.FindSubjectsResponse(subject_ids=found)

    def check_permissions(self, call: Call) -> search_pb2.CheckPermissionsResponse:
        """What the gate would answer now; one entry for the whole call."""
        request = call.request
        assert isinstance(request, search_pb2.CheckPermissionsRequest)
        listed = self._lists.of(call.principal.site_id)
        reads = [read_of(call, item, listed) for item in request.items]
        with self._database.transaction() as connection:
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            answers = self._weigh(connection, reads)
            self._record(connection, call, answers)
        return search_pb2.CheckPermissionsResponse(outcomes=[_outcome(a) for a in answers])

    def _weigh(self, connection: Connection, reads: Sequence[Read]) -> list[Decision]:
        cases = store.cases(connection, {(r.site, r.subject) for r in reads})
        questions = with_templates(connection, [(r.site, r.question) for r in reads])
        now = self._clock.now()
        return [
            decide_case(question, cases[(read.site, read.subject)], now)
            for read, question in zip(reads, questions, strict=True)
        ]

    def _record(self, connection: Connection, call: Call, answers: Sequence[Decision]) -> None:
        refused = Counter(a.reason for a in answers if isinstance(a, Denial))
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.PERMITTED,
            site_id=call.principal.site_id,
            principal=call.principal.name,
            role=call.role,
            clause="4.1",
            decided_on={
                "rulesVersion": RULES_VERSION,
                "asked": len(answers),
                "permitted": len(answers) - refused.total(),
                "refused": dict(sorted(refused.items())),
            },
        )
        evidence.append(connection, entry, self._clock.now())


def _find(call: Call) -> Find:
    request = call.request
    assert isinstance(request, search_pb2.FindSubjectsRequest)
    refs = references(request)
    if call.role == "STOREFRONT":
        purpose = "IDENTIFY_FOR_ORDER"
        refs["purpose"] = purpose
        question = Question(
            Operation.READ,
            purpose,
            purposes_granted=call.principal.purposes,
            fields=frozenset(),
            reference=request.reference,
        )
    elif call.principal.is_person:
        question = Question(Operation.FIND_FOR_CASE, reference=request.reference)
    else:
        raise PermissionDenied("1.1.1")
    indexed, contact = _contact(request)
    return Find(
        site=call.principal.site_id,
        indexed=indexed,
        contact=contact,
        question=question,
        event=call.method.evidence,
        verb=call.method.verb,
        principal=call.principal.name,
        role=call.role,
        refs=refs,
        daily_subjects=call.principal.daily_subjects,
    )


def _contact(request: search_pb2.FindSubjectsRequest) -> tuple[Field, str]:
    """The contact named, normalized. Raises InvalidArgument."""
    named = request.WhichOneof("contact")
    if named is None:
        text = "has to be given: an e-mail address or a phone"
        raise InvalidArgument(fields=[FieldViolation("email", "required", text)])
    indexed = Field(named)
    try:
        return indexed, _NORMALIZERS[indexed](named, getattr(request, named))
    except FieldInvalid as invalid:
        wrong = FieldViolation(named, str(invalid.rule), invalid.description)
        raise InvalidArgument(fields=[wrong]) from None


def _outcome(answer: Decision) -> search_pb2.PermissionOutcome:
    if isinstance(answer, Denial):
        problem = problem_of(Refused(answer.reason, answer.clause))
        return search_pb2.PermissionOutcome(problem=problem)
    permission = search_pb2.Permission(fields=sorted(answer.fields), clause=answer.clause)
    return search_pb2.PermissionOutcome(permission=permission)
