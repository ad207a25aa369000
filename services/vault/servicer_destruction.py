# SPDX-License-Identifier: Apache-2.0
"""Destroying and depersonalising subjects, and how far that has come (clauses 5.1, 6.2.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from qupia.vault.v1 import destruction_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    VaultNotReady,
    refusal_of,
)
from services.vault import store, store_destruction, store_links, store_tombstones
from services.vault.counting import Counting
from services.vault.decide import Denial, Life, Operation, Question
from services.vault.destruction import End, Ending, Hold, holds_of
from services.vault.destruction_holds import read_holds
from services.vault.endings import Endings
from services.vault.gate import decide_case
from services.vault.retention import Category, Held, Kept, Retention, Term, kept
from services.vault.statistics import Count, Group
from services.vault.store import Case, Subject
from services.vault.store_destruction import DONE, DUE, RESTRICTED, DestructionRow
from services.vault.store_keys import KeyStore
from services.vault.store_links import Reach
from services.vault.store_tombstones import Restriction
from services.vault.wire_case import decided_on, life_of, schedule_of, standing_of
from services.vault.wire_destruction import (
    categories_to,
    certificate_to,
    destruction_to,
    holdings,
    holds_to,
)

_PAGE, _MOST = 100, 1000
_Outcome = destruction_pb2.DestructionOutcome
_Ground = destruction_pb2.DestructionGround
_State = destruction_pb2.Destruction.State
_BY_STATUTE: Final = Denial("DESTRUCTION_HELD", "8.4")
Request = destruction_pb2.DestroySubjectRequest | destruction_pb2.DepersonalizeSubjectRequest
R = TypeVar(
    "R", destruction_pb2.DestroySubjectResponse, destruction_pb2.DepersonalizeSubjectResponse
)


@dataclass(frozen=True, slots=True)
class _Found:
    """All that an end is decided on."""

    subject: Subject
    case: Case
    held: dict[Category, Held]
    kept: Sequence[Kept]
    holds: Sequence[Hold]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Person:
    """The subject asked about, and the others that are one person with it (clause 1.1.5)."""

    asked: _Found
    others: Sequence[_Found]

    @property
    def everybody(self) -> list[_Found]:
        return [self.asked, *self.others]

    @property
    def holds(self) -> list[Hold]:
        """What holds any of them; a block reaches all, and is told once."""
        return list(dict.fromkeys(hold for each in self.everybody for hold in each.holds))

    @property
    def held(self) -> dict[Category, Held]:
        """The rows of all of them."""
        counted = {category: 0 for each in self.everybody for category in each.held}
        for each in self.everybody:
            for category, rows in each.held.items():
                counted[category] += rows.rows
        return {category: Held(rows, None) for category, rows in counted.items()}

    @property
    def kept(self) -> list[Kept]:
        """The terms that keep any of them; the latest of a category last."""
        return sorted((k for each in self.everybody for k in each.kept), key=lambda k: k.until)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What both RPCs answer; `person` is None for an end that is only told again."""

    outcome: int
    person: _Person | None = None
    row: DestructionRow | None = None


class DestructionServicer:
    """VaultDestructionService of the contract."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        endings: Endings,
        counting: Counting,
        retention: Retention,
        idempotency: IdempotencyKeys,
        tokens: PageTokens,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keys = keys
        self._endings = endings
        self._counting = counting
        self._retention = retention
        self._idempotency = idempotency
        self._tokens = tokens
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "DestroySubject": self.destroy_subject,
            "DepersonalizeSubject": self.depersonalize_subject,
            "GetDestruction": self.get_destruction,
            "ListDestructions": self.list_destructions,
        }

    def destroy_subject(self, call: Call) -> destruction_pb2.DestroySubjectResponse:
        """The end of all data of a subject, or what would happen."""
        assert isinstance(call.request, destruction_pb2.DestroySubjectRequest)
        answer = self._end(call, call.request, Operation.DESTROY)
        return self._response(answer, destruction_pb2.DestroySubjectResponse)

    def depersonalize_subject(self, call: Call) -> destruction_pb2.DepersonalizeSubjectResponse:
        """The same end."""
        assert isinstance(call.request, destruction_pb2.DepersonalizeSubjectRequest)
        answer = self._end(call, call.request, Operation.DEPERSONALISE)
        return self._response(answer, destruction_pb2.DepersonalizeSubjectResponse)

    def _end(self, call: Call, request: Request, operation: Operation) -> _Answer:
        if not call.principal.is_person:
            raise PermissionDenied("1.1.1")
        subject = (call.principal.site_id, request.subject_id)
        with self._database.transaction() as connection:
            reach = store_links.lock_persons(connection, subject[0], [subject[1]])
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            if not request.dry_run:
                stood = self._stands(connection, call, subject)
                if stood is not None:
                    return stood
            person = self._person(connection, subject, reach)
            denial = _denial(operation, person)
            _check_ground(request, person.asked)
            if request.dry_run:
                self._record(connection, call, "destruction.read", "RETRIEVE", person.asked)
                return _Answer(_rehearsed(denial), person)
            if denial == _BY_STATUTE:
                self._restrict(connection, call, request, person)
                return _Answer(_Outcome.RESTRICTED, person)
            if denial is not None:
                raise refusal_of(denial.reason, denial.clause, holdings(person.holds))
            counts = self._counts(connection, operation, person)
            row = self._ended(connection, call, request, operation, person)
        for each in person.everybody:
            self._endings.finish(each.subject)
        self._counting.keep(subject[0], counts, person.asked.now)
        return _Answer(_Outcome.DESTROYED, person, row)

    def _counts(
        self, connection: Connection, operation: Operation, person: _Person
    ) -> Mapping[Group, Count]:
        if operation is not Operation.DEPERSONALISE:
            return {}
        cases = {each.subject: each.case for each in person.everybody}
        return self._counting.read(connection, cases, person.asked.now)

    def _person(self, connection: Connection, subject: Subject, reach: Reach) -> _Person:
        others = [
            self._found(connection, (subject[0], each))
            for each in reach.subjects
            if each != subject[1]
        ]
        return _Person(self._found(connection, subject), others)

    def _stands(self, connection: Connection, call: Call, subject: Subject) -> _Answer | None:
        """What this very request has come to before; the end may have been made up for since."""
        now = self._clock.now()
        fresh = new_uuid()
        repeated = self._idempotency.begin(connection, call, fresh, now) != fresh
        row = store_destruction.read(connection, subject)
        request_id = str(getattr(call.request, "request_id", ""))
        mine = row is not None and (row.executed_by, row.request_id) == (
            call.principal.name,
            request_id,
        )
        if row is not None and row.state == DONE and (mine or repeated):
            return _Answer(_Outcome.DESTROYED, row=row)
        if row is not None and row.state == RESTRICTED and repeated:
            reach = store_links.reach(connection, *subject)
            return _Answer(_Outcome.RESTRICTED, self._person(connection, subject, reach))
        return None

    def _found(self, connection: Connection, subject: Subject) -> _Found:
        now = self._clock.now()
        case = store.cases(connection, [subject])[subject]
        held = store_destruction.held(connection, subject[0], [subject[1]])[subject[1]]
        keeping = kept(self._terms(subject[0]), held, now)
        holds = holds_of(standing_of(case), keeping)
        return _Found(subject, case, held, keeping, holds, now)

    def _terms(self, site: str) -> dict[Category, Term]:
        return dict(self._retention.get(site, {}))

    def _restrict(
        self, connection: Connection, call: Call, request: Request, person: _Person
    ) -> None:
        due = max(k.until for each in person.everybody for k in each.kept)
        restrictions = []
        for each in person.everybody:
            known = store_destruction.read(connection, each.subject)
            restrictions.append(
                Restriction(
                    each.subject,
                    known.destruction_id if known else new_uuid(),
                    _Ground.Kind.Name(request.ground),
                    call.principal.name,
                    due,
                )
            )
            self._record(connection, call, "subject.restricted", "BLOCK", each, clause="8.4")
        self._endings.restrict(connection, restrictions, person.asked.now)

    def _ended(
        self,
        connection: Connection,
        call: Call,
        request: Request,
        operation: Operation,
        person: _Person,
    ) -> DestructionRow:
        endings = {}
        for each in person.everybody:
            known = store_destruction.read(connection, each.subject)
            ending = Ending(
                End.DESTROYED if operation is Operation.DESTROY else End.DEPERSONALISED,
                known.destruction_id if known else new_uuid(),
                _Ground.Kind.Name(request.ground),
                request.reference,
                call.principal.name,
                call.role,
                request.request_id,
            )
            rows = {category: held.rows for category, held in each.held.items()}
            endings[each.subject] = (ending, rows)
        now = person.asked.now
        for stone in self._endings.bury(endings, now):
            self._endings.clear(connection, stone, now)
        row = store_destruction.read(connection, person.asked.subject)
        assert row is not None, "it was written a moment ago"
        return row

    def _response(self, answer: _Answer, make: Callable[..., R]) -> R:
        response = make(outcome=answer.outcome)
        person = answer.person
        if person is not None:
            response.linked_subject_ids.extend(each.subject[1] for each in person.others)
        if answer.row is not None:
            response.certificate.CopyFrom(self._certificate(answer.row))
            response.categories.extend(response.certificate.destroyed)
        elif person is not None:
            terms = self._terms(person.asked.subject[0])
            held, keeping = person.held, person.kept
            response.categories.extend(categories_to(held, terms, keeping))
            response.holds.extend(holds_to(person.holds))
        return response

    def _certificate(self, row: DestructionRow) -> destruction_pb2.DestructionCertificate:
        with self._keys.database.transaction() as connection:
            stone = store_tombstones.read(connection, (row.site, row.subject))
            gone = store_tombstones.epoch_key_destroyed(connection, stone) if stone else None
        return certificate_to(row, gone)

    def get_destruction(self, call: Call) -> destruction_pb2.GetDestructionResponse:
        """Where the destruction of a subject stands."""
        request = call.request
        assert isinstance(request, destruction_pb2.GetDestructionRequest)
        subject = (call.principal.site_id, request.subject_id)
        with self._database.transaction() as connection:
            store.lock_shared(connection, *subject)
            row = store_destruction.read(connection, subject)
            if row is None:
                raise NotFound
            found = self._found(connection, subject)
            self._record(connection, call, call.method.evidence, call.method.verb, found)
        response = destruction_pb2.GetDestructionResponse(
            destruction=destruction_to(row, found.holds)
        )
        if row.state == DONE:
            response.certificate.CopyFrom(self._certificate(row))
        return response

    def list_destructions(self, call: Call) -> destruction_pb2.ListDestructionsResponse:
        """The destructions of a site in one state, due first; DUE where none is named."""
        request = call.request
        assert isinstance(request, destruction_pb2.ListDestructionsRequest)
        site, size = call.principal.site_id, page_size(request.page_size, _PAGE, _MOST)
        state = _State.Name(request.state) if request.state else DUE
        scope = f"destructions|{site}|{state}"
        place = self._tokens.open(scope, request.page_token)
        after = [str(part) for part in place] if place is not None else None
        with self._database.transaction() as connection:
            rows = store_destruction.listed(connection, site, state, after, size + 1)
            holds = read_holds(connection, rows[:size], self._terms(site), self._clock.now())
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            token = self._tokens.make(scope, [last.due_time.isoformat(), last.subject])
        shown = [destruction_to(row, holds.get(row.subject, ())) for row in rows[:size]]
        return destruction_pb2.ListDestructionsResponse(destructions=shown, next_page_token=token)

    def _record(
        self,
        connection: Connection,
        call: Call,
        event: str,
        verb: str,
        found: _Found,
        clause: str = "5.1",
    ) -> None:
        request_refs = {
            name: str(value)
            for name in ("reference",)
            if (value := getattr(call.request, name, ""))
        }
        entry = Entry(
            event=event,
            verb=verb,
            outcome=evidence.DONE if verb == "BLOCK" else evidence.PERMITTED,
            site_id=found.subject[0],
            principal=call.principal.name,
            role=call.role,
            subject=self._keys.pseudonym(*found.subject),
            clause=clause,
            refs=request_refs,
            decided_on=decided_on(found.case, schedule_of(found.case).in_force(found.now)),
        )
        evidence.append(connection, entry, found.now)


def _denial(operation: Operation, person: _Person) -> Denial | None:
    """What holds the end of a person, None where nothing does; a statutory term comes last.

    Raises for who is not, or no more, there.
    """
    denials: list[Denial] = []
    for each in person.everybody:
        question = Question(operation, retained=bool(each.kept))
        decision = decide_case(question, each.case, each.now)
        if not isinstance(decision, Denial):
            continue
        if life_of(each.case) not in (Life.UNKNOWN, Life.DESTROYED):
            denials.append(decision)
        elif each is person.asked:
            raise refusal_of(decision.reason, decision.clause)
    return min(denials, key=lambda denial: denial == _BY_STATUTE, default=None)


def _check_ground(request: Request, found: _Found) -> None:
    """Unlawful acts are a ground only where a verification has confirmed them."""
    if request.ground == _Ground.UNLAWFUL_CONFIRMED and not standing_of(found.case).restricted:
        text = "no verification of this subject has confirmed unlawful acts"
        raise InvalidArgument(fields=[FieldViolation("ground", "not_confirmed", text)])


def _rehearsed(denial: Denial | None) -> int:
    if denial is None:
        return _Outcome.DESTROYED
    return _Outcome.RESTRICTED if denial == _BY_STATUTE else _Outcome.HELD
