# SPDX-License-Identifier: Apache-2.0
"""The person's own view: signed export, printed pages, what was done (clause 6.1.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.api import httpbody_pb2

from qupia.contract.v1 import contract_pb2, signing_pb2
from qupia.vault.v1 import own_view_pb2, recipients_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, instant
from services.chassis.evidence_reading import Place, Recorded, Span, read_entries
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    VaultNotReady,
    refusal_of,
)
from services.chassis.signing import Signer
from services.chassis.signing_keys import PublicKey, signing_keys_message
from services.chassis.sites import Sites
from services.chassis.typeset import typeset_page
from services.vault import store, store_recipients, wire
from services.vault.access import OWN_VIEW, require_live
from services.vault.decide import Denial
from services.vault.fields import configured
from services.vault.gate import decide_case
from services.vault.own_view import (
    Item,
    Person,
    Stop,
    act_of,
    begins_with,
    names_of,
    people,
    read_newest,
    read_part,
)
from services.vault.own_view_document import Heading, document_of, recipients_in
from services.vault.own_view_page import MOST, Told, page_of, sentence
from services.vault.own_view_words import DEFAULT_LANGUAGE
from services.vault.recipients import Names
from services.vault.servicer import told_apart
from services.vault.site_fields import SiteLists
from services.vault.standing import Standing
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore
from services.vault.wire_case import decided_on, schedule_of, standing_of

_DEFAULT_PAGE, _LARGEST_PAGE = 100, 500

Reach = Callable[[Connection, Subject], Sequence[Subject]]
"""The subjects that are one person with this one, itself first."""


@dataclass(frozen=True, slots=True)
class _View:
    """A permitted view in its transaction."""

    connection: Connection
    now: datetime
    subjects: Sequence[Subject]
    cases: Mapping[Subject, Case]
    persons: Sequence[Person]


class OwnViewServicer:
    """VaultOwnViewService of the contract."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        signer: Signer,
        sites: Sites,
        tokens: PageTokens,
        clock: Clock,
        lists: SiteLists,
        reach: Reach,
    ) -> None:
        self._database = database
        self._keys = keys
        self._signer = signer
        self._sites = sites
        self._tokens = tokens
        self._clock = clock
        self._lists = lists
        self._reach = reach

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "ExportSubject": self.export_subject,
            "PrintSubject": self.print_subject,
            "ListProcessing": self.list_processing,
            "GetSigningKeys": self.get_signing_keys,
        }

    def export_subject(self, call: Call) -> own_view_pb2.ExportSubjectResponse:
        """One part of the export, signed."""
        request = call.request
        assert isinstance(request, own_view_pb2.ExportSubjectRequest)
        scope = f"export|{call.principal.site_id}|{request.subject_id}"
        place = self._tokens.open(scope, request.page_token)
        with self._view(call, request.subject_id) as view:
            heading, begin = self._heading(call, request.subject_id, place, view.now)
            if begin is not None and not begins_with(begin, view.persons):
                raise InvalidArgument(
                    fields=[
                        FieldViolation(
                            "pageToken",
                            "page_token",
                            "a visitor was unlinked meanwhile; start without one",
                        )
                    ]
                )
            part = read_part(view.connection, view.persons, begin, heading.export_time, view.now)
            first = {}
            if begin is None:
                first = {s[1]: standing_of(view.cases[s]) for s in view.subjects}
            named = self._named(view, heading.site, first.values())
            document = document_of(heading, part, first, named)
            refs = {"export_id": heading.export_id, "part": str(heading.part)}
            entry_id = self._record(call, view, refs)
        signature = self._signer.sign(document)
        return own_view_pb2.ExportSubjectResponse(
            export_id=heading.export_id,
            part=heading.part,
            document=document.decode(),
            signature=signature.value,
            key_id=signature.key_id,
            entry_id=entry_id,
            next_page_token=self._next(scope, heading, part.stop),
        )

    def _heading(
        self, call: Call, subject: str, place: list[str | int] | None, now: datetime
    ) -> tuple[Heading, Stop | None]:
        site = call.principal.site_id
        operator = self._sites.operator_of(site)
        if place is None:
            return Heading(new_uuid(), 1, site, subject, now, operator), None
        export_id, number, time, stopped, name, *after = place
        begun = datetime.fromisoformat(str(time))
        heading = Heading(str(export_id), int(number), site, subject, begun, operator)
        return heading, Stop(str(stopped), str(name), tuple(after))

    def _next(self, scope: str, heading: Heading, stop: Stop | None) -> str:
        if stop is None:
            return ""
        begun = (heading.export_id, heading.part + 1, instant(heading.export_time))
        return self._tokens.make(scope, [*begun, stop.subject, stop.list_name, *stop.after])

    def print_subject(self, call: Call) -> httpbody_pb2.HttpBody:
        """The pages; set after the transaction, because that takes its time."""
        request = call.request
        assert isinstance(request, own_view_pb2.PrintSubjectRequest)
        language = request.language or DEFAULT_LANGUAGE
        with self._view(call, request.subject_id) as view:
            heading, _ = self._heading(call, request.subject_id, None, view.now)
            told = [self._told(view, subject) for subject in view.subjects]
            names = [person.pseudonym for person in view.persons]
            entries = read_entries(view.connection, heading.site, names, MOST + 1, told_at=view.now)
            named = names_of(view.connection, heading.site, entries)
            self._record(call, view, {"export_id": heading.export_id})
        rules = self._lists.of(heading.site).rules()
        labels = {
            str(configured(name)): (rule.label.kk, rule.label.ru, rule.label.en)
            for name, rule in rules.items()
        }
        acts = [act_of(entry, named) for entry in entries]
        page = page_of(heading, told, acts, labels, language)
        pdf = typeset_page(page, view.now)
        return httpbody_pb2.HttpBody(content_type=call.method.media_type, data=pdf)

    def _told(self, view: _View, subject: Subject) -> Told:
        person = next((p for p in view.persons if p.subject == subject), None)
        lists = read_newest(view.connection, person, MOST + 1) if person else {}
        standing = standing_of(view.cases[subject])
        return Told(subject[1], standing, lists, self._named(view, subject[0], [standing]))

    @staticmethod
    def _named(view: _View, site: str, standings: Iterable[Standing]) -> Names:
        ids = {each for standing in standings for each in recipients_in(standing)}
        return store_recipients.named(view.connection, site, ids)

    def list_processing(self, call: Call) -> own_view_pb2.ListProcessingResponse:
        """A page of what was done."""
        request = call.request
        assert isinstance(request, own_view_pb2.ListProcessingRequest)
        size = page_size(request.page_size, _DEFAULT_PAGE, _LARGEST_PAGE)
        span = Span(wire.time_of(request, "start_time"), wire.time_of(request, "end_time"))
        times = [instant(t) if t else "" for t in (span.start, span.end)]
        scope = "|".join(["processing", call.principal.site_id, request.subject_id, *times])
        place = self._tokens.open(scope, request.page_token)
        after = Place(datetime.fromisoformat(str(place[0])), str(place[1])) if place else None
        with self._view(call, request.subject_id) as view:
            names = [person.pseudonym for person in view.persons]
            entries = read_entries(
                view.connection,
                call.principal.site_id,
                names,
                size + 1,
                span,
                after,
                told_at=view.now,
            )
            named = names_of(view.connection, call.principal.site_id, entries)
            self._record(call, view, {})
        language = request.language or DEFAULT_LANGUAGE
        response = own_view_pb2.ListProcessingResponse(
            acts=[_act(act_of(entry, named), entry, language) for entry in entries[:size]]
        )
        if len(entries) > size:
            last = entries[size - 1].place
            response.next_page_token = self._tokens.make(
                scope, [instant(last.record_time), last.entry_id]
            )
        return response

    def get_signing_keys(self, _call: Call) -> signing_pb2.GetSigningKeysResponse:
        """The key that verifies exports."""
        return signing_keys_message([PublicKey(self._signer.public_key)])

    @contextmanager
    def _view(self, call: Call, subject_id: str) -> Iterator[_View]:
        """Lock, see that the session lives, decide; whatever raises within leaves nothing."""
        if call.principal.subject_id != subject_id:
            raise NotFound
        subject = (call.principal.site_id, subject_id)
        with self._database.transaction() as connection, told_apart("subjectId"):
            store.lock_shared(connection, *subject)
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            now = self._clock.now()
            require_live(connection, call.principal, now)
            subjects = list(self._reach(connection, subject))
            cases = store.cases(connection, subjects)
            decision = decide_case(OWN_VIEW, cases[subject], now)
            if isinstance(decision, Denial):
                raise refusal_of(decision.reason, decision.clause)
            yield _View(connection, now, subjects, cases, people(self._keys, subjects))

    def _record(self, call: Call, view: _View, refs: Mapping[str, str]) -> str:
        """An entry for each subject of the person's; the id of the first."""
        pseudonyms = {person.subject: person.pseudonym for person in view.persons}
        entries = []
        for subject in view.subjects:
            case = view.cases[subject]
            decided: dict[str, Any] = decided_on(case, schedule_of(case).in_force(view.now))
            entries.append(
                Entry(
                    event=call.method.evidence,
                    verb=call.method.verb,
                    outcome=evidence.PERMITTED,
                    site_id=subject[0],
                    principal=call.principal.name,
                    role=call.role,
                    subject=pseudonyms.get(subject, ""),
                    clause="6.1.3",
                    refs=refs,
                    decided_on=decided | {"dataVersion": case.data_version},
                )
            )
        evidence.append_all(view.connection, entries, view.now)
        return entries[0].entry_id


_RecipientKind: Final = recipients_pb2.NamedRecipient.Kind
_Act: Final = own_view_pb2.ProcessingAct
_Verb: Final = contract_pb2.Processing.Verb
_Role: Final = contract_pb2.Caller.Role
_Reason: Final = contract_pb2.Refusal.Reason


def _act(act: Item, entry: Recorded, language: str) -> own_view_pb2.ProcessingAct:
    message = _Act(
        entry_id=entry.entry_id,
        verb=_value(_Verb, act.get("verb")),
        event=entry.event,
        outcome=_value(_Act.Outcome, entry.outcome),
        principal=act.get("principal", ""),
        role=_value(_Role, act.get("role")),
        purpose=act.get("purpose", ""),
        clause=act.get("clause", ""),
        reason=_value(_Reason, act.get("reason")),
        fields=act.get("fields", []),
        order_id=act.get("orderId", ""),
        claim_id=act.get("claimId", ""),
        recipient_id=act.get("recipientId", ""),
        recipient_name=act.get("recipientName", ""),
        recipient_kind=_value(_RecipientKind, act.get("recipientKind")),
        recipient_bin=act.get("recipientBin", ""),
        ground=act.get("ground", ""),
        words=sentence(act, language),
    )
    message.time.FromDatetime(entry.record_time.astimezone(UTC))
    return message


def _value(enum: Any, name: str | None) -> Any:
    return enum.Value(name) if name in enum.keys() else 0  # noqa: SIM118 - no mapping
