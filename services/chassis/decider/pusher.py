# SPDX-License-Identifier: Apache-2.0
"""Pushes a slice to the vault and writes down what the vault said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.decider import store, store_life, store_outbox
from services.chassis.decider.store import Act, Key, Settlement
from services.chassis.decider.store_life import Life
from services.chassis.decider.store_outbox import Confirmation, Push
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pseudonym import forget, pseudonyms_of
from services.chassis.refusal import AWAY, Refusal, Unavailable
from services.chassis.slices import Answer, SliceVersion, Step, Verdict, next_step

_Receipt = vault_pb2.SliceReceipt
MOST_TOGETHER = 64
Send = Callable[[Push, vault_pb2.SliceHeader, float], vault_pb2.SliceReceipt]
SendTogether = Callable[
    [Sequence[tuple[Push, vault_pb2.SliceHeader]], float], Sequence[vault_pb2.SliceReceipt]
]
_ENDED_BY_SUBJECT = {
    _Receipt.UNKNOWN_SUBJECT: (store.REFUSED, "NOT_FOUND"),
    _Receipt.SUBJECT_DESTROYED: (store.SUBJECT_DESTROYED, "SUBJECT_DESTROYED"),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of slice.

    `send` makes the typed request of a push and calls the vault with a time
    limit in seconds; `settle` is what the service writes, in the same
    transaction, when acts have ended (their new enforcement is set). `mend`
    comes before either: it puts facts that the vault carried over into a book
    that had forgotten them, which a database set back to an earlier state has.
    `send_together` does several pushes in one call, `MOST_TOGETHER` at most,
    and returns their receipts in order; one without a verdict was not taken.
    """

    name: str
    send: Send
    settle: Callable[[Connection, Sequence[Act], vault_pb2.SliceReceipt], None]
    mend: Callable[[Connection, Key, vault_pb2.SliceReceipt], None] | None = None
    send_together: SendTogether | None = None


class Pusher:
    """Pushes the slices of one decider; no push waits for the vault longer than `most_seconds`."""

    def __init__(
        self,
        process: str,
        database: Database,
        topics: Sequence[Topic],
        open_incarnation: Callable[[int, float], vault_pb2.OpenIncarnationResponse],
        clock: Clock,
        metrics: Metrics,
        log: Any,
        most_seconds: float,
    ) -> None:
        self._process = process
        self._database = database
        self._topics = {topic.name: topic for topic in topics}
        self._open_incarnation = open_incarnation
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._most_seconds = most_seconds
        self._renewing = threading.Lock()

    def push(self, key: Key, timeout: float) -> bool:
        """Push a slice once; True where the vault has confirmed it, as `push_all` does."""
        return key in self.push_all([key], timeout)

    def push_all(self, keys: Collection[Key], timeout: float) -> set[Key]:
        """Push slices of one topic once; those that the vault has confirmed.

        `MOST_TOGETHER` at a time share a call where the topic can; `timeout` in
        seconds is for all of them. Where none is left nothing is pushed.
        Never raises for a vault that cannot be reached or answers amiss: what
        was recorded stays in the outbox and the dispatcher tries again.
        Raises Unavailable where the decider's own database cannot be used.
        """
        confirmed: set[Key] = set()
        ordered, until = list(keys), time.monotonic() + min(timeout, self._most_seconds)
        for first in range(0, len(ordered), MOST_TOGETHER):
            left = until - time.monotonic()
            done = self._push(ordered[first : first + MOST_TOGETHER], left) if left > 0 else set()
            if not done:
                break
            confirmed |= done
        return confirmed

    def _push(self, keys: Sequence[Key], timeout: float) -> set[Key]:
        with self._database.transaction() as connection:
            pushes = store_outbox.read_pushes(connection, keys)
            life = store_life.read_life(connection)
        confirmed = set(keys) - {push.key for push in pushes}
        if not pushes or life.incarnation == 0:
            return confirmed
        received = self._send(pushes, life, timeout)
        return confirmed | self._write_down(received) if received else confirmed

    def _send(
        self, pushes: Sequence[Push], life: Life, timeout: float
    ) -> list[tuple[Push, vault_pb2.SliceReceipt]]:
        """The pushes that the vault has taken, each with its receipt."""
        topic = self._topics[pushes[0].key.topic]
        together = topic.send_together
        if together is not None and len(pushes) > 1:
            headed = [(push, _header(push, life)) for push in pushes]
            try:
                receipts = together(headed, timeout)
            except AWAY as refusal:
                self._postpone(pushes, refusal)
                return []
            except Refusal:
                # One of them may have spoilt it for all: each is tried alone.
                return self._send_each(topic.send, pushes, life, timeout)
            received = list(zip(pushes, receipts, strict=True))
            left = [push for push, receipt in received if not receipt.verdict]
            if left:
                self._postpone(left, Unavailable(retry_after=1))
            return [(push, receipt) for push, receipt in received if receipt.verdict]
        return self._send_each(topic.send, pushes, life, timeout)

    def _send_each(
        self, send: Send, pushes: Sequence[Push], life: Life, timeout: float
    ) -> list[tuple[Push, vault_pb2.SliceReceipt]]:
        """One after the other; the rest is not tried once the vault cannot be reached or the time
        is up."""
        received, until = [], time.monotonic() + timeout
        for number, push in enumerate(pushes):
            left = until - time.monotonic()
            if left <= 0:
                self._postpone(pushes[number:], Unavailable(retry_after=1))
                break
            try:
                received.append((push, send(push, _header(push, life), left)))
            except AWAY as refusal:
                self._postpone(pushes[number:], refusal)
                break
            except Refusal as refusal:
                self._postpone([push], refusal)
        return received

    def _postpone(self, pushes: Sequence[Push], refusal: Refusal) -> None:
        if not isinstance(refusal, Unavailable):
            self._log.warning("push refused", topic=pushes[0].key.topic, reason=refusal.reason)
        with self._database.transaction() as connection:
            store_outbox.postpone(connection, [push.key for push in pushes], self._clock.now())

    def _write_down(self, received: Sequence[tuple[Push, vault_pb2.SliceReceipt]]) -> set[Key]:
        """Write down what the vault said; the slices that it has confirmed."""
        steps: dict[Key, Step] = {}
        with self._database.transaction() as connection:
            own = store_outbox.lock_versions(connection, [push.key for push, _ in received])
            life = store_life.read_life(connection)
            for push, receipt in received:
                steps[push.key] = _step(push, receipt, own[push.key], life)
            done = [each for each in received if steps[each[0].key] is Step.DONE]
            self._settle(connection, done)
            again = [key for key, step in steps.items() if step is not Step.DONE]
            if again:
                store_outbox.postpone(connection, again, self._clock.now())
        for push, receipt in received:
            if receipt.verdict == _Receipt.CONFLICT:
                self._metrics.alarms.labels("slice_conflict").inc()
                self._log.error("slice conflict", topic=push.key.topic)
        if Step.OPEN_INCARNATION in steps.values():
            self.renew(life)
        return {push.key for push, _ in done}

    def _settle(
        self, connection: Connection, done: Sequence[tuple[Push, vault_pb2.SliceReceipt]]
    ) -> None:
        """What follows when slices are confirmed, whose rows are locked."""
        if not done:
            return
        now = self._clock.now()
        for push, receipt in done:
            mend = self._topics[push.key.topic].mend
            if receipt.carried and mend is not None:
                mend(connection, push.key, receipt)
        settlements = [_settlement(push, receipt, now) for push, receipt in done]
        ended = store.settle_acts(connection, settlements)
        store_outbox.confirm(
            connection,
            [
                _confirmation(push, settlement)
                for (push, _), settlement in zip(done, settlements, strict=True)
            ],
        )
        for push, receipt in done:
            self._topics[push.key.topic].settle(connection, ended[push.key], receipt)
        self._record(connection, done, ended, now)
        for push, receipt in done:
            self._follow(connection, push, receipt)

    def _follow(self, connection: Connection, push: Push, receipt: vault_pb2.SliceReceipt) -> None:
        if receipt.verdict == _Receipt.SUBJECT_DESTROYED:
            forget(connection, [(push.key.site_id, push.key.subject_id)])
        if receipt.carried:
            self._metrics.alarms.labels("restriction_carried").inc()
            self._log.error("restriction carried", topic=push.key.topic, count=len(receipt.carried))

    def _record(
        self,
        connection: Connection,
        done: Sequence[tuple[Push, vault_pb2.SliceReceipt]],
        ended: Mapping[Key, Sequence[Act]],
        now: datetime,
    ) -> None:
        """An evidence entry for every act that ended."""
        named = {(key.site_id, key.subject_id) for key, each in ended.items() if each}
        known = pseudonyms_of(connection, {each for each in named if each[1]})
        entries = [
            self._entry(act, known.get((act.key.site_id, act.key.subject_id), ""), receipt)
            for push, receipt in done
            for act in ended[push.key]
        ]
        evidence.append_all(connection, entries, now)

    def _entry(self, act: Act, pseudonym: str, receipt: vault_pb2.SliceReceipt) -> Entry:
        in_force = act.enforcement == store.IN_FORCE
        applied = receipt.apply_time.ToJsonString() if receipt.HasField("apply_time") else ""
        return Entry(
            event=f"{act.kind}_{act.enforcement.lower()}",
            verb="RECORD",
            outcome=evidence.DONE if in_force else evidence.REFUSED,
            site_id=act.key.site_id,
            principal=f"process/{self._process}",
            subject=pseudonym,
            reason=act.reason,
            refs={"act_id": act.act_id},
            decided_on={"counter": act.counter, "appliedTime": applied},
        )

    def renew(self, seen: Life, timeout: float = 2.0) -> bool:
        """Take a new incarnation and push everything again; True where it was taken.

        `seen` is the life that called for it: where another thread has
        renewed it since, nothing is done.
        """
        with self._renewing:
            with self._database.transaction() as connection:
                life = store_life.read_life(connection)
            if life != seen:
                return True
            try:
                opened = self._open_incarnation(life.incarnation, timeout)
            except Refusal:
                return False
            with self._database.transaction() as connection:
                identity = store_life.database_identity(connection)
                fresh = Life(opened.incarnation, opened.vault_incarnation, identity, False)
                store_outbox.start_resync(connection, fresh, self._clock.now())
            self._log.warning("new incarnation", incarnation=opened.incarnation)
            return True


def _step(push: Push, receipt: vault_pb2.SliceReceipt, own: SliceVersion, life: Life) -> Step:
    """What to do after an answer, beside the slice's present version."""
    answer = _answer(receipt)
    if receipt.verdict not in _ENDED_BY_SUBJECT:
        return next_step(push.version, own, life.vault_incarnation, answer)
    same = answer.vault_incarnation == life.vault_incarnation
    return Step.DONE if same and push.version.incarnation == own.incarnation else Step.RETRY


def _settlement(push: Push, receipt: vault_pb2.SliceReceipt, now: datetime) -> Settlement:
    applied = receipt.apply_time.ToDatetime(UTC) if receipt.HasField("apply_time") else now
    return Settlement(push.key, push.version.counter, _verdicts(receipt), applied)


def _confirmation(push: Push, settlement: Settlement) -> Confirmation:
    verdicts = settlement.verdicts
    left = bool(set(push.open_proposals) - verdicts.keys()) and "" not in verdicts
    return Confirmation(push.key, push.version, left)


def _header(push: Push, life: Life) -> vault_pb2.SliceHeader:
    return vault_pb2.SliceHeader(
        site_id=push.key.site_id,
        subject_id=push.key.subject_id,
        version=_version(push.version),
        vault_incarnation=life.vault_incarnation,
        open_proposals=push.open_proposals,
    )


def _version(version: SliceVersion) -> vault_pb2.SliceVersion:
    return vault_pb2.SliceVersion(incarnation=version.incarnation, counter=version.counter)


def _answer(receipt: vault_pb2.SliceReceipt) -> Answer:
    name = _Receipt.Verdict.Name(receipt.verdict)
    current = None
    if receipt.HasField("current"):
        current = SliceVersion(receipt.current.incarnation, receipt.current.counter)
    verdict = Verdict(name) if name in Verdict.__members__ else Verdict.APPLIED
    return Answer(verdict, receipt.vault_incarnation, receipt.highest_incarnation, current)


def _verdicts(receipt: vault_pb2.SliceReceipt) -> Mapping[str, tuple[str, str]]:
    """(enforcement, reason) by proposal; under "" that of every act, where one ends them all."""
    if receipt.verdict in _ENDED_BY_SUBJECT:
        end = _ENDED_BY_SUBJECT[receipt.verdict]
        return {"": end} | {p.proposal_id: end for p in receipt.proposals}
    outcome = vault_pb2.ProposalOutcome
    ends = {}
    for proposal in receipt.proposals:
        if proposal.verdict == outcome.APPLIED:
            ends[proposal.proposal_id] = (store.IN_FORCE, "")
        elif proposal.verdict == outcome.SUPERSEDED:
            ends[proposal.proposal_id] = (store.SUPERSEDED, "")
        elif proposal.verdict == outcome.REFUSED:
            reason = contract_pb2.Refusal.Reason.Name(proposal.reason)
            ends[proposal.proposal_id] = (store.REFUSED, reason)
    return ends
