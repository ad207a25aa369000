# SPDX-License-Identifier: Apache-2.0
"""The gate: the one function through which data leave (architecture, section 2).

One transaction: lock, read, decide, decrypt, write the evidence, commit; then
the caller sends. A batch of one is a batch. A subject that is locked by
somebody else is handed back as CONTENDED, to be read alone: waiting for it
would hold up its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as member
from datetime import datetime

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.metrics import Metrics
from services.chassis.refusal import VaultNotReady
from services.vault import store, store_data, store_documents, store_releases
from services.vault.address import Address
from services.vault.budget import DailyBudget, Reach
from services.vault.concealed import Concealed
from services.vault.decide import Decision, Denial, Operation, Permit, Question, decide
from services.vault.envelope import CiphertextMisplaced, Place, decrypt
from services.vault.fields import RECORDED_FIELDS, AnyField, Field
from services.vault.order_documents import ADDRESS, MESSAGE, open_documents
from services.vault.plaintext import SCHEMA, parse
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.records import Records, SealedRecords, open_records, sealed_records
from services.vault.secret_key import SecretKey
from services.vault.site_fields import SiteFields
from services.vault.store import Case, Subject
from services.vault.store_data import DatumRow
from services.vault.store_documents import DocumentRow
from services.vault.store_keys import KeyStore, OwnerKey
from services.vault.templates import with_templates
from services.vault.wire_case import decided_on, life_of, schedule_of, standing_of

Data = Concealed[AnyField, str | Address]
# The name of an order's message among the fields that leave; it is no datum of the person's own.
MESSAGE_TEXT = "messageText"


@dataclass(frozen=True, slots=True)
class Read:
    """One read asked of the gate, and who stands behind it.

    `event`, `verb` and `refs` go into evidence; `release_id` names the
    broker's prepared release, empty otherwise. `daily_subjects` is the
    budget of the credential; 0 where it has none. Until `secret_until` the
    person is not told of it (clause 5.3).
    """

    site: str
    subject: str
    question: Question
    event: str
    verb: str
    principal: str
    role: str
    refs: Mapping[str, str] = member(default_factory=dict)
    release_id: str = ""
    daily_subjects: int = 0
    secret_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """Data that may leave: the entry that permits it is committed."""

    data: Data = member(repr=False)
    version: int
    entry_id: str
    clause: str
    records: Records = member(default_factory=Records)
    message: Concealed[str, str] = member(default_factory=lambda: Concealed({}), repr=False)
    disputed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal, recorded."""

    reason: str
    clause: str


class Contended:
    """The subject's lock was not free; read it alone."""


Outcome = Given | Refused | Contended


class Gate:
    """Reads data for those the standing permits."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        refusals: RefusalLog,
        clock: Clock,
        metrics: Metrics,
        budget: DailyBudget,
    ) -> None:
        self._database = database
        self._keys = keys
        self._refusals = refusals
        self._clock = clock
        self._metrics = metrics
        self._budget = budget

    def read_alone(self, read: Read) -> Given | Refused:
        """One read; waits for the subject's lock. Raises Unavailable: no record, no data."""
        with self._database.transaction() as connection:
            store.lock_shared(connection, read.site, read.subject)
            return self._read_locked(connection, [read])[0]

    def read(self, reads: Sequence[Read]) -> list[Outcome]:
        """Many reads in one transaction, each with an outcome of its own.

        Raises Unavailable where the transaction as a whole could not be
        committed: then nothing of it may leave.
        """
        with self._database.transaction() as connection:
            wanted = [(r.site, r.subject) for r in reads]
            locked = store.try_lock_shared(connection, wanted)
            free = [r for r, taken in zip(reads, locked, strict=True) if taken]
            given = iter(self._read_locked(connection, free) if free else ())
        return [next(given) if taken else Contended() for taken in locked]

    def _read_locked(self, connection: Connection, reads: Sequence[Read]) -> list[Given | Refused]:
        if not store.ready(connection):
            raise VaultNotReady(retry_after=1)
        subjects = {(r.site, r.subject) for r in reads}
        cases = store.cases(connection, subjects)
        keys = self._keys.owner_keys(subjects)
        now = self._clock.now()
        questions = with_templates(connection, [(r.site, r.question) for r in reads])
        decisions = [
            decide_case(question, cases[(r.site, r.subject)], now)
            for r, question in zip(reads, questions, strict=True)
        ]
        decisions = self._within_budget(connection, reads, decisions, now)
        rows = store_data.current_data(connection, _permitted(reads, decisions))
        asked = [((r.site, r.subject), r.question) for r in reads]
        records = sealed_records(connection, asked, decisions)
        documents = store_documents.of_orders(connection, _orders(reads, decisions))
        batch = _Batch(connection, now, cases, keys, records, documents)
        outcomes = [
            self._outcome(batch, r, d, rows.get((r.site, r.subject), []))
            for r, d in zip(reads, decisions, strict=True)
        ]
        outcomes = self._record_refusals(batch, outcomes)
        evidence.append_all(connection, batch.entries, now)
        store_releases.write_release_entries(connection, batch.releases)
        return outcomes

    def _within_budget(
        self,
        connection: Connection,
        reads: Sequence[Read],
        decisions: Sequence[Decision],
        now: datetime,
    ) -> list[Decision]:
        """The decisions; what is permitted beyond a credential's daily budget is refused."""
        held = list(decisions)
        counted = [
            place
            for place, read in enumerate(reads)
            if read.daily_subjects and isinstance(held[place], Permit)
        ]
        if counted:
            reaches = [
                Reach(read.site, read.principal, read.daily_subjects, read.subject)
                for read in (reads[place] for place in counted)
            ]
            admitted = self._budget.admit(connection, reaches, now)
            for place, within in zip(counted, admitted, strict=True):
                if not within:
                    held[place] = Denial("BUDGET_EXHAUSTED", "")
        return held

    def _outcome(
        self, batch: _Batch, read: Read, decision: Permit | Denial, rows: Sequence[DatumRow]
    ) -> Given | Refused:
        if isinstance(decision, Denial):
            return self._refuse(batch, read, decision)
        subject = (read.site, read.subject)
        wanted = [row for row in rows if row.field in decision.fields]
        try:
            data = self._decrypt(subject, batch.keys.get(subject), wanted)
            records = self._records(batch, read, decision)
            data, message = self._for_order(batch, read, decision, data)
        except (CiphertextMisplaced, KeyMoved):
            self._metrics.alarms.labels("ciphertext_misplaced").inc()
            return self._refuse(batch, read, Denial("DATA_LOSS", ""))
        except KeyProviderError:
            return Refused("KEY_UNAVAILABLE", "")
        fields = {*data, *records.fields, *message}
        entry = self._entry(batch, read, evidence.PERMITTED, decision.clause, "", fields)
        since = decision.disputed_since
        if since is not None:
            under = {"releasedUnderBlock": evidence.instant(since)}
            entry = replace(entry, decided_on={**entry.decided_on, **under})
        batch.entries.append(entry)
        if read.release_id:
            batch.releases.append((read.site, read.release_id, entry.entry_id))
        version = batch.cases[subject].data_version
        return Given(data, version, entry.entry_id, decision.clause, records, message, since)

    def _refuse(self, batch: _Batch, read: Read, denial: Denial) -> Refused:
        refused = Refused(denial.reason, denial.clause)
        entry = self._entry(batch, read, evidence.REFUSED, denial.clause, denial.reason, ())
        batch.refusals.append((entry, refused))
        return refused

    def _record_refusals(
        self, batch: _Batch, outcomes: Sequence[Given | Refused]
    ) -> list[Given | Refused]:
        noted = [entry for entry, _ in batch.refusals]
        recorded = self._refusals.record_all(batch.connection, noted, batch.now)
        exhausted = {
            id(refused)
            for (_, refused), entry_id in zip(batch.refusals, recorded, strict=True)
            if entry_id is None
        }
        return [Refused("BUDGET_EXHAUSTED", "") if id(o) in exhausted else o for o in outcomes]

    def _decrypt(self, subject: Subject, key: OwnerKey | None, rows: Sequence[DatumRow]) -> Data:
        if not rows:
            return Concealed({})
        if key is None:
            raise CiphertextMisplaced
        return decrypt_rows(self._keys.open(*subject, key), subject, rows)

    def _records(self, batch: _Batch, read: Read, permit: Permit) -> Records:
        subject = (read.site, read.subject)
        visits, lines = batch.records.of((subject, read.question), permit)
        if not visits and not lines:
            return Records()
        key = batch.keys.get(subject)
        if key is None:
            raise CiphertextMisplaced
        return open_records(self._keys.open(*subject, key), subject, visits, lines)

    def _for_order(
        self, batch: _Batch, read: Read, permit: Permit, data: Data
    ) -> tuple[Data, Concealed[str, str]]:
        """The data with the order's own address, where it has one, and its message."""
        subject = (read.site, read.subject)
        rows = batch.documents.get((*subject, read.question.reference), ())
        wanted = {ADDRESS: Field.ADDRESS in permit.fields, MESSAGE: permit.message}
        rows = [row for row in rows if wanted[row.kind]]
        owner = batch.keys.get(subject)
        if not rows or owner is None:
            return data, Concealed({})
        opened = open_documents(self._keys.open(*subject, owner), subject, rows)
        if ADDRESS in opened:
            data = Concealed({**data, Field.ADDRESS: parse(Field.ADDRESS, opened[ADDRESS])})
        text = {MESSAGE_TEXT: opened[MESSAGE].decode()} if MESSAGE in opened else {}
        return data, Concealed(text)

    def _entry(
        self,
        batch: _Batch,
        read: Read,
        outcome: str,
        clause: str,
        reason: str,
        fields: Collection[str],
    ) -> Entry:
        subject = (read.site, read.subject)
        case = batch.cases[subject]
        key = batch.keys.get(subject)
        refs = dict(read.refs)
        if read.question.purpose:
            refs["purpose"] = read.question.purpose
        return Entry(
            event=read.event,
            verb=read.verb,
            outcome=outcome,
            site_id=read.site,
            principal=read.principal,
            role=read.role,
            subject=key.pseudonym if key else "",
            clause=clause,
            reason=reason,
            refs=refs,
            decided_on=decided_on(case, schedule_of(case).in_force(batch.now))
            | ({"fields": sorted(fields), "dataVersion": case.data_version} if fields else {}),
            secret_until=read.secret_until,
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    connection: Connection
    now: datetime
    cases: Mapping[Subject, Case]
    keys: Mapping[Subject, OwnerKey]
    records: SealedRecords
    documents: Mapping[tuple[str, str, str], Sequence[DocumentRow]]
    entries: list[Entry] = member(default_factory=list)
    refusals: list[tuple[Entry, Refused]] = member(default_factory=list)
    releases: list[tuple[str, str, str]] = member(default_factory=list)


def decide_case(question: Question, case: Case, now: datetime) -> Decision:
    """The decision on a subject as it stands."""
    return decide(question, life_of(case), standing_of(case), schedule_of(case), now)


def decrypt_rows(key: SecretKey, subject: Subject, rows: Iterable[DatumRow]) -> Data:
    """The data of rows, in the clear. Raises CiphertextMisplaced."""
    return Concealed(
        {
            row.field: parse(
                row.field,
                decrypt(key, Place(SCHEMA, *subject, str(row.field), row.version), row.ciphertext),
            )
            for row in rows
        }
    )


def _orders(
    reads: Sequence[Read], decisions: Sequence[Permit | Denial]
) -> set[tuple[str, str, str]]:
    """Whose orders are to be released: (site, subject, order)."""
    return {
        (read.site, read.subject, read.question.reference)
        for read, decision in zip(reads, decisions, strict=True)
        if read.question.operation is Operation.READ_FOR_RELEASE and isinstance(decision, Permit)
    }


def _permitted(
    reads: Sequence[Read], decisions: Sequence[Permit | Denial]
) -> dict[Subject, frozenset[AnyField]]:
    """What is read of each subject: what its permits reach, and nothing else."""
    reached: dict[Subject, frozenset[AnyField]] = {}
    for read, decision in zip(reads, decisions, strict=True):
        if isinstance(decision, Permit) and (fields := decision.fields - RECORDED_FIELDS):
            subject = (read.site, read.subject)
            reached[subject] = reached.get(subject, frozenset()) | fields
    return reached


def question_of_read(
    purpose: str,
    granted: frozenset[str] | None,
    reference: str,
    fields: Sequence[str],
    automated_decision: bool,
    listed: SiteFields,
) -> Question:
    """The question of a purpose-bound read. Raises ValueError for an unknown field name."""
    return Question(
        Operation.READ,
        purpose=purpose,
        purposes_granted=granted,
        fields=listed.asked(fields) if fields else None,
        reference=reference,
        automated_decision=automated_decision,
        configured=listed.reached_by(purpose),
    )
