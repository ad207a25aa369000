# SPDX-License-Identifier: Apache-2.0
"""What the deciders push: slices of subjects, one or many together, and the schedules of sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from qupia.vault.v1 import pushes_pb2, vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pipeline import Handler, log_defect
from services.chassis.refusal import FieldViolation, InvalidArgument, Refusal
from services.chassis.slices import Verdict
from services.vault import store, store_life, store_slices, wire
from services.vault.same_contact import SameContact, watched_of
from services.vault.servicer import told_apart
from services.vault.servicer_slices import Pushed, SliceTaker, canonical_digest
from services.vault.standing import ClaimsStanding, ConsentStanding, OrderStanding
from services.vault.store_keys import KeyStore
from services.vault.wire_case import CLAIMS, CONSENT, ORDERS, SCHEDULE
from services.vault.wire_receipt import judged

M = TypeVar("M", bound=Message)
S = TypeVar("S", ConsentStanding, ClaimsStanding, OrderStanding)
P = TypeVar(
    "P",
    vault_pb2.ApplyConsentSliceRequest,
    vault_pb2.ApplyClaimsSliceRequest,
    vault_pb2.ApplyOrderSliceRequest,
)
_Receipt = vault_pb2.SliceReceipt
_WRITTEN = (_Receipt.APPLIED, _Receipt.REPEAT)
_RECORDED = (*_WRITTEN, _Receipt.CONFLICT)
# How long a call with many pushes waits, in all, for persons whom somebody else holds.
_PATIENCE_SECONDS = 0.5


class PushServicer:
    """The Apply calls of the contract."""

    def __init__(
        self,
        database: Database,
        taker: SliceTaker,
        same_contact: SameContact,
        keys: KeyStore,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._taker = taker
        self._same_contact = same_contact
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "ApplyConsentSlice": self.apply_consent_slice,
            "ApplyConsentSlices": self.apply_consent_slices,
            "ApplyPolicySchedule": self.apply_policy_schedule,
            "ApplyClaimsSlice": self.apply_claims_slice,
            "ApplyClaimsSlices": self.apply_claims_slices,
            "ApplyOrderSlice": self.apply_order_slice,
            "ApplyOrderSlices": self.apply_order_slices,
        }

    def apply_consent_slice(self, call: Call) -> vault_pb2.ApplyConsentSliceResponse:
        """Acceptance, disagreement and express consents of a subject."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyConsentSliceRequest)
        [pushed] = _pushes(call, {"": request}, _consent)
        return vault_pb2.ApplyConsentSliceResponse(receipt=self._apply(call, pushed))

    def apply_consent_slices(self, call: Call) -> pushes_pb2.ApplyConsentSlicesResponse:
        """The same of several subjects, each with a receipt of its own."""
        request = call.request
        assert isinstance(request, pushes_pb2.ApplyConsentSlicesRequest)
        pushes = _pushes(call, _named(request.pushes), _consent)
        receipts = self._apply_all(call, pushes)
        return pushes_pb2.ApplyConsentSlicesResponse(receipts=receipts)

    def apply_claims_slice(self, call: Call) -> vault_pb2.ApplyClaimsSliceResponse:
        """Blocks, outcomes and holds of a subject."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyClaimsSliceRequest)
        [pushed] = _pushes(call, {"": request}, _claims)
        receipt = self._apply(call, pushed)
        self._search([pushed], [receipt])
        return vault_pb2.ApplyClaimsSliceResponse(receipt=receipt)

    def apply_claims_slices(self, call: Call) -> pushes_pb2.ApplyClaimsSlicesResponse:
        """The same of several subjects, each with a receipt of its own."""
        request = call.request
        assert isinstance(request, pushes_pb2.ApplyClaimsSlicesRequest)
        pushes = _pushes(call, _named(request.pushes), _claims)
        receipts = self._apply_all(call, pushes)
        self._search(pushes, receipts)
        return pushes_pb2.ApplyClaimsSlicesResponse(receipts=receipts)

    def apply_order_slice(self, call: Call) -> vault_pb2.ApplyOrderSliceResponse:
        """Orders and assignments of a subject."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyOrderSliceRequest)
        [pushed] = _pushes(call, {"": request}, _orders)
        return vault_pb2.ApplyOrderSliceResponse(receipt=self._apply(call, pushed))

    def apply_order_slices(self, call: Call) -> pushes_pb2.ApplyOrderSlicesResponse:
        """The same of several subjects, each with a receipt of its own."""
        request = call.request
        assert isinstance(request, pushes_pb2.ApplyOrderSlicesRequest)
        pushes = _pushes(call, _named(request.pushes), _orders)
        receipts = self._apply_all(call, pushes)
        return pushes_pb2.ApplyOrderSlicesResponse(receipts=receipts)

    def _apply_all(self, call: Call, pushes: Sequence[Pushed[S]]) -> list[vault_pb2.SliceReceipt]:
        """A receipt for each; one without verdict for a push that cannot be taken now.

        Those whose persons nobody holds are taken in one transaction. The others, and all of them
        where that fails, are taken each by itself, waiting for their persons for a while. So is
        what has to be decided: a decision sees what every push before it has left.
        """
        facts = [pushed for pushed in pushes if not pushed.header.open_proposals]
        taken = iter(self._apply_free(call, facts) if facts else [])
        receipts = [None if pushed.header.open_proposals else next(taken) for pushed in pushes]
        until = time.monotonic() + min(_PATIENCE_SECONDS, call.remaining() / 2)
        return [
            self._apply_or_not_now(call, pushed, until) if receipt is None else receipt
            for pushed, receipt in zip(pushes, receipts, strict=True)
        ]

    def _apply_free(
        self, call: Call, pushes: Sequence[Pushed[S]]
    ) -> list[vault_pb2.SliceReceipt | None]:
        try:
            with self._database.transaction() as connection, told_apart("slice"):
                free = self._taker.try_lock(connection, pushes)
                taken = [pushed for pushed, is_free in zip(pushes, free, strict=True) if is_free]
                receipts = self._take(connection, call, taken) if taken else []
        except Exception as error:  # noqa: BLE001 - one of them may have spoilt it for all
            self._log.warning("pushes are taken one by one", error=type(error).__name__)
            return [None] * len(pushes)
        self._tell_conflicts(receipts)
        in_order = iter(receipts)
        return [next(in_order) if is_free else None for is_free in free]

    def _apply_or_not_now(
        self, call: Call, pushed: Pushed[S], until: float
    ) -> vault_pb2.SliceReceipt:
        try:
            return self._apply(call, pushed, max(0.0, until - time.monotonic()))
        except Refusal as refusal:
            self._log.warning("push not taken", reason=refusal.reason)
            if refusal.reason == "DATA_LOSS":
                self._metrics.alarms.labels("DATA_LOSS").inc()
        except Exception as error:  # noqa: BLE001 - what is wrong with one push spoils no other
            log_defect(self._log, call, error)
            self._metrics.alarms.labels("INTERNAL").inc()
        return _Receipt()

    def _apply(
        self, call: Call, pushed: Pushed[S], patience: float | None = None
    ) -> vault_pb2.SliceReceipt:
        """Take one push, waiting `patience` seconds for its person, if that is less than usual."""
        if not pushed.header.subject_id:
            raise InvalidArgument(fields=[_no_subject("")])
        call.check_deadline()
        with self._database.transaction() as connection, told_apart("slice"):
            if patience is not None:
                store.wait_at_most(connection, patience)
            self._taker.lock(connection, pushed)
            receipts = self._take(connection, call, [pushed])
        self._tell_conflicts(receipts)
        return receipts[0]

    def _tell_conflicts(self, receipts: Sequence[vault_pb2.SliceReceipt]) -> None:
        conflicts = sum(receipt.verdict == _Receipt.CONFLICT for receipt in receipts)
        if conflicts:
            self._metrics.alarms.labels("slice_conflict").inc(conflicts)

    def _take(
        self, connection: Connection, call: Call, pushes: Sequence[Pushed[S]]
    ) -> list[vault_pb2.SliceReceipt]:
        receipts = self._taker.take(connection, pushes)
        headers = [pushed.header for pushed in pushes]
        self._record(connection, call, headers, receipts)
        return receipts

    def _search(
        self, pushes: Sequence[Pushed[ClaimsStanding]], receipts: Sequence[vault_pb2.SliceReceipt]
    ) -> None:
        """The blocks stand; whoever has the same contact is found at once where that can be."""
        blocked = [
            pushed.subject
            for pushed, receipt in zip(pushes, receipts, strict=True)
            if receipt.verdict in _WRITTEN and watched_of(pushed.slice)
        ]
        if blocked:
            self._same_contact.search(blocked)

    def apply_policy_schedule(self, call: Call) -> vault_pb2.ApplyPolicyScheduleResponse:
        """A site's policy versions."""
        request = call.request
        assert isinstance(request, vault_pb2.ApplyPolicyScheduleRequest)
        header, site = request.header, request.header.site_id
        if header.subject_id:
            fault = FieldViolation("header.subjectId", "absent", "a schedule is the whole site's")
            raise InvalidArgument(fields=[fault])
        digest = canonical_digest(request.schedule)
        pushed = Pushed(SCHEDULE, call.peer, header, ClaimsStanding((), ()), digest)
        with self._database.transaction() as connection:
            store.lock_exclusive(connection, site, "")
            held = store_slices.read_slice(connection, site, "", SCHEDULE)
            lives = store_life.read_lives(connection, call.peer)
            receipt, verdict = judged(lives, header, pushed.stamp, held)
            if verdict in (Verdict.APPLIED, Verdict.REPEAT):
                now = self._clock.now()
                body = request.schedule.SerializeToString(deterministic=True)
                version = pushed.stamp.version
                row = store.SliceRow(version.incarnation, version.counter, digest, body)
                store_slices.write_slice(connection, site, "", SCHEDULE, row, now)
                receipt.apply_time.FromDatetime(now)
            self._record(connection, call, [header], [receipt])
        return vault_pb2.ApplyPolicyScheduleResponse(receipt=receipt)

    def _record(
        self,
        connection: Connection,
        call: Call,
        headers: Sequence[vault_pb2.SliceHeader],
        receipts: Sequence[vault_pb2.SliceReceipt],
    ) -> None:
        """Record what was written, and what is an alarm."""
        told = [
            (header, _Receipt.Verdict.Name(receipt.verdict))
            for header, receipt in zip(headers, receipts, strict=True)
            if receipt.verdict in _RECORDED
        ]
        keys = self._keys.owner_keys({(h.site_id, h.subject_id) for h, _ in told if h.subject_id})
        entries = []
        for header, verdict in told:
            key = keys.get((header.site_id, header.subject_id))
            entry = Entry(
                event=call.method.evidence,
                verb=call.method.verb,
                outcome=evidence.DONE,
                site_id=header.site_id,
                principal=call.principal.name,
                subject=key.pseudonym if key else "",
                clause=call.method.clauses[0],
                refs={
                    "verdict": verdict,
                    "version": f"{header.version.incarnation}/{header.version.counter}",
                },
            )
            entries.append(entry)
        evidence.append_all(connection, entries, self._clock.now())


def _named(pushes: Iterable[P]) -> dict[str, P]:
    """Pushes by the prefix of their fields' paths."""
    return {f"pushes[{n}].": each for n, each in enumerate(pushes)}


def _pushes(
    call: Call, named: Mapping[str, P], understood: Callable[[Call, P, str], Pushed[S]]
) -> list[Pushed[S]]:
    """The pushes, by the prefix of their fields' paths. Raises InvalidArgument with all faults."""
    faults: list[FieldViolation] = []
    seen: set[tuple[str, str]] = set()
    pushes = []
    for prefix, request in named.items():
        header = request.header
        subject = (header.site_id, header.subject_id)
        if not header.subject_id:
            faults.append(_no_subject(prefix))
        elif subject in seen:
            path = f"{prefix}header.subjectId"
            faults.append(FieldViolation(path, "repeated", "is named twice"))
        seen.add(subject)
        try:
            pushes.append(understood(call, request, prefix))
        except InvalidArgument as fault:
            faults.extend(fault.fields)
    if faults:
        raise InvalidArgument(fields=faults)
    return pushes


def _consent(
    call: Call, request: vault_pb2.ApplyConsentSliceRequest, prefix: str
) -> Pushed[ConsentStanding]:
    slice_ = _understood(wire.consent_from, request.slice, prefix)
    return Pushed(CONSENT, call.peer, request.header, slice_, canonical_digest(request.slice))


def _claims(
    call: Call, request: vault_pb2.ApplyClaimsSliceRequest, prefix: str
) -> Pushed[ClaimsStanding]:
    slice_ = _understood(wire.claims_from, request.slice, prefix)
    return Pushed(CLAIMS, call.peer, request.header, slice_, canonical_digest(request.slice))


def _orders(
    call: Call, request: vault_pb2.ApplyOrderSliceRequest, prefix: str
) -> Pushed[OrderStanding]:
    slice_ = _understood(wire.orders_from, request.slice, prefix)
    digest, messages = canonical_digest(request.slice), wire.messages_from(request.slice)
    return Pushed(ORDERS, call.peer, request.header, slice_, digest, messages)


def _no_subject(prefix: str) -> FieldViolation:
    # What has no subject stands for everybody of the site.
    return FieldViolation(f"{prefix}header.subjectId", "required", "has to be given")


def _understood(convert: Callable[[M], S], message: M, prefix: str = "") -> S:
    """A slice whose every fact is of a known kind. Raises InvalidArgument."""
    try:
        return convert(message)
    except ValueError:
        fault = FieldViolation(f"{prefix}slice", "enum", "holds a fact of no known kind")
        raise InvalidArgument(fields=[fault]) from None
