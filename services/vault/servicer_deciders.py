# SPDX-License-Identifier: Apache-2.0
"""What the deciders push and ask: slices, incarnations, releases, sealing keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pipeline import Handler
from services.chassis.refusal import FieldViolation, InvalidArgument, KeyUnavailable, Unavailable
from services.chassis.slices import Verdict, completes, next_incarnation
from services.vault import store, store_life, store_releases, store_slices, wire
from services.vault.decide import Life, Operation, Question
from services.vault.gate import MESSAGE_TEXT, Contended, Gate, Given, Outcome, Read
from services.vault.provider import KeyProviderError
from services.vault.same_contact import SameContact, watched_of
from services.vault.servicer import problem_of, told_apart
from services.vault.servicer_slices import Pushed, SliceTaker, canonical_digest
from services.vault.standing import ClaimsStanding, ConsentStanding, OrderStanding
from services.vault.store_keys import KeyStore
from services.vault.store_life import DeciderLife
from services.vault.wire_case import CLAIMS, CONSENT, ORDERS, SCHEDULE

M = TypeVar("M", bound=Message)
S = TypeVar("S", ConsentStanding, ClaimsStanding, OrderStanding)
_Receipt = vault_pb2.SliceReceipt
_WRITTEN = (_Receipt.APPLIED, _Receipt.REPEAT)


class DeciderServicer:
    """The services of the contract that deciders call."""

    def __init__(
        self,
        database: Database,
        taker: SliceTaker,
        same_contact: SameContact,
        gate: Gate,
        keys: KeyStore,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._taker = taker
        self._same_contact = same_contact
        self._gate = gate
        self._keys = keys
        self._clock = clock
        self._metrics = metrics

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "OpenIncarnation": self.open_incarnation,
            "CompleteResync": self.complete_resync,
            "GetSealingKey": self.get_sealing_key,
            "ApplyConsentSlice": self.apply_consent_slice,
            "ApplyPolicySchedule": self.apply_policy_schedule,
            "ApplyClaimsSlice": self.apply_claims_slice,
            "ApplyOrderSlice": self.apply_order_slice,
            "LookUpSubject": self.look_up_subject,
            "ReadForRelease": self.read_for_release,
            "GetReleaseEntry": self.get_release_entry,
        }

    def open_incarnation(self, call: Call) -> vault_pb2.OpenIncarnationResponse:
        """A new incarnation of the caller; it has to push everything again."""
        request = call.request
        assert isinstance(request, vault_pb2.OpenIncarnationRequest)
        with self._database.transaction() as connection:
            store_life.lock_life(connection)
            life = store_life.read_decider(connection, call.peer, lock=True)
            number = next_incarnation(life.highest_incarnation, request.known_incarnation)
            store_life.write_decider(connection, call.peer, DeciderLife(number, False))
            vault = store_life.read_life(connection)
            refs = {"incarnation": str(number)}
            self._record(connection, call, "", "", refs)
        return vault_pb2.OpenIncarnationResponse(
            incarnation=number, vault_incarnation=vault.vault_incarnation if vault else ""
        )

    def complete_resync(self, call: Call) -> vault_pb2.CompleteResyncResponse:
        """The caller has pushed everything to this life of the vault."""
        request = call.request
        assert isinstance(request, vault_pb2.CompleteResyncRequest)
        with self._database.transaction() as connection:
            life = store_life.read_decider(connection, call.peer, lock=True)
            vault = store_life.read_life(connection)
            present = vault.vault_incarnation if vault else ""
            counts = completes(
                request.vault_incarnation == present,
                request.incarnation,
                life.highest_incarnation,
            )
            if counts and not life.complete:
                life = DeciderLife(life.highest_incarnation, True)
                store_life.write_decider(connection, call.peer, life)
                self._record(connection, call, "", "", {"incarnation": str(request.incarnation)})
        return vault_pb2.CompleteResyncResponse(
            counts=counts,
            vault_incarnation=present,
            highest_incarnation=life.highest_incarnation,
        )

    def get_sealing_key(self, _call: Call) -> vault_pb2.GetSealingKeyResponse:
        """The public key that documents are sealed to."""
        try:
            pair = self._keys.sealing_pair()
        except KeyProviderError:
            raise KeyUnavailable from None
        if pair is None:
            raise KeyUnavailable
        return vault_pb2.GetSealingKeyResponse(key_id=pair.key_id, public_key=pair.public_key)

    def apply_consent_slice(self, call: Call) -> vault_pb2.ApplyConsentSliceResponse:
        """Acceptance, disagreement and express consents of a subject."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyConsentSliceRequest)
        digest = canonical_digest(request.slice)
        slice_ = _understood(wire.consent_from, request.slice)
        receipt = self._apply(call, Pushed(CONSENT, call.peer, request.header, slice_, digest))
        return vault_pb2.ApplyConsentSliceResponse(receipt=receipt)

    def apply_claims_slice(self, call: Call) -> vault_pb2.ApplyClaimsSliceResponse:
        """Blocks, outcomes and holds of a subject."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyClaimsSliceRequest)
        digest = canonical_digest(request.slice)
        slice_ = _understood(wire.claims_from, request.slice)
        receipt = self._apply(call, Pushed(CLAIMS, call.peer, request.header, slice_, digest))
        if receipt.verdict in _WRITTEN and watched_of(slice_):
            # The block stands; whoever has the same contact is found at once where that can be.
            self._same_contact.search((request.header.site_id, request.header.subject_id))
        return vault_pb2.ApplyClaimsSliceResponse(receipt=receipt)

    def apply_order_slice(self, call: Call) -> vault_pb2.ApplyOrderSliceResponse:
        """Orders and assignments of a subject."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyOrderSliceRequest)
        digest = canonical_digest(request.slice)
        slice_ = _understood(wire.orders_from, request.slice)
        messages = wire.messages_from(request.slice)
        pushed = Pushed(ORDERS, call.peer, request.header, slice_, digest, messages)
        receipt = self._apply(call, pushed)
        return vault_pb2.ApplyOrderSliceResponse(receipt=receipt)

    def _apply(self, call: Call, pushed: Pushed[S]) -> vault_pb2.SliceReceipt:
        if not pushed.header.subject_id:
            # What has no subject stands for everybody of the site.
            raise _wrong("header.subjectId", "required", "has to be given")
        with self._database.transaction() as connection, told_apart("slice"):
            receipt = self._taker.take_push(connection, pushed)
            self._record_receipt(connection, call, pushed.header, receipt)
        if receipt.verdict == _Receipt.CONFLICT:
            self._metrics.alarms.labels("slice_conflict").inc()
        return receipt

    def apply_policy_schedule(self, call: Call) -> vault_pb2.ApplyPolicyScheduleResponse:
        """A site's policy versions."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyPolicyScheduleRequest)
        header, site = request.header, request.header.site_id
        if header.subject_id:
            raise _wrong("header.subjectId", "absent", "a schedule is the whole site's")
        digest = canonical_digest(request.schedule)
        pushed = Pushed(SCHEDULE, call.peer, header, ClaimsStanding((), ()), digest)
        with self._database.transaction() as connection:
            store.lock_exclusive(connection, site, "")
            held = store_slices.read_slice(connection, site, "", SCHEDULE)
            receipt, verdict = self._taker.judge(connection, call.peer, header, pushed.stamp, held)
            if verdict in (Verdict.APPLIED, Verdict.REPEAT):
                now = self._clock.now()
                body = request.schedule.SerializeToString(deterministic=True)
                version = pushed.stamp.version
                row = store.SliceRow(version.incarnation, version.counter, digest, body)
                store_slices.write_slice(connection, site, "", SCHEDULE, row, now)
                receipt.apply_time.FromDatetime(now)
            self._record_receipt(connection, call, header, receipt)
        return vault_pb2.ApplyPolicyScheduleResponse(receipt=receipt)

    def look_up_subject(self, call: Call) -> vault_pb2.LookUpSubjectResponse:
        """Which of the ids the site has."""
        request = call.request
        assert isinstance(request, vault_pb2.LookUpSubjectRequest)
        with self._database.transaction() as connection:
            known = store_slices.known_subjects(
                connection, request.site_id, list(request.subject_ids)
            )
        return vault_pb2.LookUpSubjectResponse(
            subject_ids=list(known),
            destroyed=[subject for subject, life in known.items() if life == Life.DESTROYED],
        )

    def read_for_release(self, call: Call) -> vault_pb2.ReadForReleaseResponse:
        """What the recipients of open orders may have."""
        request = call.request
        assert isinstance(request, vault_pb2.ReadForReleaseRequest)
        call.recorded = True
        reads = [_release_read(call, item) for item in request.items]
        outcomes = self._gate.read(reads)
        return vault_pb2.ReadForReleaseResponse(
            outcomes=[
                self._release_outcome(call, read, outcome)
                for read, outcome in zip(reads, outcomes, strict=True)
            ]
        )

    def _release_outcome(
        self, call: Call, read: Read, outcome: Outcome
    ) -> vault_pb2.ReleaseOutcome:
        if isinstance(outcome, Contended):
            if call.remaining() <= 0:
                # Nobody waits for it any more, so it is not begun.
                return vault_pb2.ReleaseOutcome()
            try:
                outcome = self._gate.read_alone(read)
            except Unavailable:
                # Whether its entry stands is not known; what the others were given is.
                return vault_pb2.ReleaseOutcome()
        if not isinstance(outcome, Given):
            return vault_pb2.ReleaseOutcome(problem=problem_of(outcome))
        return vault_pb2.ReleaseOutcome(
            read=vault_pb2.ReleaseRead(
                data=wire.data_to(outcome.data),
                version=outcome.version,
                entry_id=outcome.entry_id,
                fields=sorted([*outcome.data, *outcome.message]),
                message_text=outcome.message.get(MESSAGE_TEXT),
            )
        )

    def get_release_entry(self, call: Call) -> vault_pb2.GetReleaseEntryResponse:
        """The entry under which data left for a release."""
        request = call.request
        assert isinstance(request, vault_pb2.GetReleaseEntryRequest)
        with self._database.transaction() as connection:
            entry = store_releases.read_release_entry(
                connection, request.site_id, request.release_id
            )
        return vault_pb2.GetReleaseEntryResponse(entry_id=entry)

    def _record_receipt(
        self,
        connection: Connection,
        call: Call,
        header: vault_pb2.SliceHeader,
        receipt: vault_pb2.SliceReceipt,
    ) -> None:
        if receipt.verdict not in _WRITTEN and receipt.verdict != _Receipt.CONFLICT:
            return
        refs = {
            "verdict": _Receipt.Verdict.Name(receipt.verdict),
            "version": f"{header.version.incarnation}/{header.version.counter}",
        }
        self._record(connection, call, header.site_id, header.subject_id, refs)

    def _record(
        self, connection: Connection, call: Call, site: str, subject: str, refs: dict[str, str]
    ) -> None:
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.DONE,
            site_id=site,
            principal=call.principal.name,
            subject=self._keys.pseudonym(site, subject) if subject else "",
            clause=call.method.clauses[0],
            refs=refs,
        )
        evidence.append(connection, entry, self._clock.now())


def _understood(convert: Callable[[M], S], message: M) -> S:
    """A slice whose every fact is of a known kind. Raises InvalidArgument."""
    try:
        return convert(message)
    except ValueError:
        raise _wrong("slice", "enum", "holds a fact of no known kind") from None


def _wrong(field: str, rule: str, description: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation(field, rule, description)])


def _release_read(call: Call, item: vault_pb2.ReleaseItem) -> Read:
    return Read(
        site=item.site_id,
        subject=item.subject_id,
        question=Question(
            Operation.READ_FOR_RELEASE,
            reference=item.order_id,
            delivery_id=item.delivery_id,
            recipient_id=item.recipient_id,
        ),
        event=call.method.evidence,
        verb=call.method.verb,
        principal=call.principal.name,
        role="",
        refs={
            "order_id": item.order_id,
            "delivery_id": item.delivery_id,
            "recipient_id": item.recipient_id,
            "release_id": item.release_id,
        },
        release_id=item.release_id,
    )
