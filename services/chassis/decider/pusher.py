# SPDX-License-Identifier: Apache-2.0
"""Pushes a slice to the vault and writes down what the vault said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy.engine import Connection

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.decider import store, store_life, store_outbox
from services.chassis.decider.store import Act, Key
from services.chassis.decider.store_life import Life
from services.chassis.decider.store_outbox import Push
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pseudonym import forget, pseudonym_of
from services.chassis.refusal import Refusal, Unavailable
from services.chassis.slices import Answer, SliceVersion, Step, Verdict, next_step

_Receipt = vault_pb2.SliceReceipt
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
    """

    name: str
    send: Callable[[Push, vault_pb2.SliceHeader, float], vault_pb2.SliceReceipt]
    settle: Callable[[Connection, Sequence[Act], vault_pb2.SliceReceipt], None]
    mend: Callable[[Connection, Key, vault_pb2.SliceReceipt], None] | None = None


class Pusher:
    """Pushes the slices of one decider."""

    def __init__(
        self,
        process: str,
        database: Database,
        topics: Sequence[Topic],
        open_incarnation: Callable[[int, float], vault_pb2.OpenIncarnationResponse],
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._process = process
        self._database = database
        self._topics = {topic.name: topic for topic in topics}
        self._open_incarnation = open_incarnation
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._renewing = threading.Lock()

    def push(self, key: Key, timeout: float) -> bool:
        """Push a slice once; True where the vault has confirmed it.

        Never raises for a vault that cannot be reached or answers amiss: what
        was recorded stays in the outbox and the dispatcher tries again.
        Raises Unavailable where the decider's own database cannot be used.
        """
        with self._database.transaction() as connection:
            push = store_outbox.read_push(connection, key)
            life = store_life.read_life(connection)
        if push is None:
            return True
        if life.incarnation == 0:
            return False
        try:
            receipt = self._topics[key.topic].send(push, _header(push, life), timeout)
        except Refusal as refusal:
            self._postpone(key, refusal)
            return False
        return self._write_down(push, receipt)

    def _postpone(self, key: Key, refusal: Refusal) -> None:
        if not isinstance(refusal, Unavailable):
            self._log.warning("push refused", topic=key.topic, reason=refusal.reason)
        with self._database.transaction() as connection:
            store_outbox.postpone(connection, key, self._clock.now())

    def _write_down(self, push: Push, receipt: vault_pb2.SliceReceipt) -> bool:
        answer = _answer(receipt)
        with self._database.transaction() as connection:
            own = store_outbox.lock_version(connection, push.key)
            life = store_life.read_life(connection)
            if receipt.verdict in _ENDED_BY_SUBJECT:
                same = answer.vault_incarnation == life.vault_incarnation
                step = (
                    Step.DONE
                    if same and push.version.incarnation == own.incarnation
                    else Step.RETRY
                )
            else:
                step = next_step(push.version, own, life.vault_incarnation, answer)
            if step is Step.DONE:
                self._settle(connection, push, receipt)
                return True
            store_outbox.postpone(connection, push.key, self._clock.now())
        if answer.verdict is Verdict.CONFLICT:
            self._metrics.alarms.labels("slice_conflict").inc()
            self._log.error("slice conflict", topic=push.key.topic, verdict=str(answer.verdict))
        if step is Step.OPEN_INCARNATION:
            self.renew(life)
        return False

    def _settle(self, connection: Connection, push: Push, receipt: vault_pb2.SliceReceipt) -> None:
        now = self._clock.now()
        verdicts = _verdicts(receipt)
        applied = receipt.apply_time.ToDatetime(UTC) if receipt.HasField("apply_time") else now
        counter = push.version.counter
        mend = self._topics[push.key.topic].mend
        if receipt.carried and mend is not None:
            mend(connection, push.key, receipt)
        ended = store.settle_acts(connection, push.key, counter, verdicts, applied)
        left = bool(set(push.open_proposals) - set(verdicts) - {""}) and "" not in verdicts
        store_outbox.confirm(connection, push.key, push.version, pending_left=left)
        self._topics[push.key.topic].settle(connection, ended, receipt)
        evidence.append_all(connection, self._entries(connection, ended, receipt), now)
        if receipt.verdict == _Receipt.SUBJECT_DESTROYED:
            forget(connection, [(push.key.site_id, push.key.subject_id)])
        if receipt.carried:
            self._metrics.alarms.labels("restriction_carried").inc()
            self._log.error("restriction carried", topic=push.key.topic, count=len(receipt.carried))

    def _entries(
        self, connection: Connection, ended: Sequence[Act], receipt: vault_pb2.SliceReceipt
    ) -> list[Entry]:
        applied = receipt.apply_time.ToJsonString() if receipt.HasField("apply_time") else ""
        return [self._entry(connection, act, applied) for act in ended]

    def _entry(self, connection: Connection, act: Act, applied: str) -> Entry:
        in_force = act.enforcement == store.IN_FORCE
        return Entry(
            event=f"{act.kind}_{act.enforcement.lower()}",
            verb="RECORD",
            outcome=evidence.DONE if in_force else evidence.REFUSED,
            site_id=act.key.site_id,
            principal=f"process/{self._process}",
            subject=pseudonym_of(connection, act.key.site_id, act.key.subject_id),
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
