# SPDX-License-Identifier: Apache-2.0
"""All that the vault holds of a person, for the person themselves (clause 6.1.3, Law 25(2)(9)).

Read in the caller's transaction under the subject's lock, in parts: a part costs the same however
much there is. A visitor that is linked to the person's account is theirs too. What is secret until
a time is not there before it (clause 5.3).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from services.chassis.database import Connection
from services.chassis.evidence import instant
from services.chassis.evidence_reading import Place as EntryPlace
from services.chassis.evidence_reading import Recorded, Span, read_entries
from services.vault import store_export, store_recipients
from services.vault.envelope import Place, decrypt
from services.vault.fields import field_of
from services.vault.plaintext import SCHEMA, parse
from services.vault.purchases import open_line
from services.vault.recipients import NamedRecipient, Names
from services.vault.secret_key import SecretKey
from services.vault.store import Subject
from services.vault.store_export import Key
from services.vault.store_keys import KeyStore, OwnerKey
from services.vault.store_records import visit_row
from services.vault.visits import open_visit

# What the person wrote or was told; an officer's notes of a verification are not theirs.
DOCUMENT_KINDS: Final = frozenset(
    {"STATEMENT", "DEMAND", "PROPOSED_CORRECTION", "REPLY_ADDRESS", "ANSWER", "MESSAGE_TEXT"}
)
PART_BYTES: Final = 1_000_000
_ROWS, _LONG_ROWS, _WHOLE = 100, 10, 1_000_000

Item = dict[str, Any]
Member = tuple[str, Item]
"""The list it belongs to, and what stands there."""


@dataclass(frozen=True, slots=True)
class Person:
    """One subject of the person's, with what opens its data."""

    subject: Subject
    key: SecretKey = field(repr=False)
    pseudonym: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a part ends: in which list of which subject, and after which row."""

    subject: str
    list_name: str
    after: Key


@dataclass(frozen=True, slots=True)
class Part:
    """The lists of a part by subject; `stop` is where the next one goes on, None after the last."""

    lists: Mapping[str, Mapping[str, list[Item]]] = field(repr=False)
    processing: list[Item] = field(repr=False)
    stop: Stop | None


@dataclass(frozen=True, slots=True)
class _List:
    """A list of one subject: reads a page of it, and how its rows become items."""

    name: str
    limit: int
    read: Callable[[Connection, Subject, Key, int], Sequence[Any]]
    item: Callable[[Person, Any], Item]
    key: Callable[[Any], Key]


def people(keys: KeyStore, subjects: Sequence[Subject]) -> list[Person]:
    """The subjects with their keys, those that have one.

    Raises KeyUnavailable, KeyWrong.
    """
    found: Mapping[Subject, OwnerKey] = keys.owner_keys(subjects)
    return [
        Person(each, keys.open(*each, found[each]), found[each].pseudonym)
        for each in subjects
        if each in found
    ]


def begins_with(begin: Stop, persons: Sequence[Person]) -> bool:
    """Whether a part can go on there: its subject is the person's still."""
    return begin.list_name == _PROCESSING or any(
        person.subject[1] == begin.subject for person in persons
    )


def read_part(
    connection: Connection,
    persons: Sequence[Person],
    begin: Stop | None,
    until: datetime,
    now: datetime,
    budget: int = PART_BYTES,
) -> Part:
    """The part that begins there, of about `budget` bytes of JSON.

    Acts are told that were recorded before `until`, and that are not secret `now`. Raises
    CiphertextMisplaced.
    """
    reader = _Reader(connection, persons, budget)
    for person, each, after in _walk(persons, begin):
        stop = reader.read_list(person, each, after)
        if stop is not None:
            return Part(reader.lists, [], stop)
    return reader.read_processing(_entry_place(begin), until, now)


def read_newest(connection: Connection, person: Person, most: int) -> dict[str, list[Item]]:
    """The newest `most` of each list of one subject. Raises CiphertextMisplaced."""
    newest: dict[str, list[Item]] = {}
    for each in _LISTS:
        rows = store_export.newest_rows(connection, person.subject, each.name, DOCUMENT_KINDS, most)
        newest[each.name] = [each.item(person, row) for row in rows]
    return newest


class _Reader:
    """Gathers a part until its budget is spent."""

    def __init__(self, connection: Connection, persons: Sequence[Person], budget: int) -> None:
        self._connection = connection
        self._persons = persons
        self._left = budget
        self.lists: dict[str, dict[str, list[Item]]] = {}

    def read_list(self, person: Person, each: _List, after: Key) -> Stop | None:
        """Read a list on; where to stop, None at its end."""
        place = after
        held = self.lists.setdefault(person.subject[1], {}).setdefault(each.name, [])
        while True:
            rows = each.read(self._connection, person.subject, place, each.limit)
            self._take(held, [each.item(person, row) for row in rows])
            if len(rows) < each.limit:
                return None
            place = each.key(rows[-1])
            if self._left <= 0:
                return Stop(person.subject[1], each.name, place)

    def read_processing(self, after: EntryPlace | None, until: datetime, now: datetime) -> Part:
        """Read the acts on, to the part's end."""
        acts: list[Item] = []
        place = after
        names = [person.pseudonym for person in self._persons]
        site = self._persons[0].subject[0] if self._persons else ""
        while True:
            entries = read_entries(
                self._connection, site, names, _ROWS, Span(end=until), place, told_at=now
            )
            named = names_of(self._connection, site, entries)
            self._take(acts, [act_of(entry, named) for entry in entries])
            if len(entries) < _ROWS:
                return Part(self.lists, acts, None)
            place = entries[-1].place
            if self._left <= 0:
                key = (instant(place.record_time), place.entry_id)
                return Part(self.lists, acts, Stop("", _PROCESSING, key))

    def _take(self, held: list[Item], items: Sequence[Item]) -> None:
        held += items
        self._left -= sum(len(json.dumps(item, ensure_ascii=False).encode()) for item in items)


def names_of(connection: Connection, site: str, entries: Sequence[Recorded]) -> Names:
    """Who the recipients of those acts are."""
    return store_recipients.named(connection, site, {_recipient_of(each) for each in entries})


def _recipient_of(entry: Recorded) -> str:
    refs = entry.members.get("refs", {})
    return str(refs.get("recipient_id") or refs.get("authority_id") or "")


def recipient_told(named: NamedRecipient | None) -> Item:
    """Who a recipient is; nothing where nobody was told of."""
    if named is None:
        return {}
    return {
        "recipientName": named.legal_name,
        "recipientKind": named.kind,
        "recipientBin": named.bin,
    }


def act_of(entry: Recorded, named: Names) -> Item:
    """What an entry says of one act, without what a decision rested on but the data concerned.

    `named` are the recipients that are known by name.
    """
    members = entry.members
    refs, recipient_id = members.get("refs", {}), _recipient_of(entry)
    act: Item = {
        "entryId": entry.entry_id,
        "time": instant(entry.record_time),
        "event": entry.event,
        "outcome": entry.outcome,
        "verb": members.get("verb", ""),
        "principal": members.get("principal", ""),
        "role": members.get("role", ""),
        "purpose": refs.get("purpose", ""),
        "clause": members.get("clause", ""),
        "reason": members.get("reason", ""),
        "fields": list(members.get("decidedOn", {}).get("fields", [])),
        "orderId": refs.get("order_id", ""),
        "claimId": refs.get("claim_id", ""),
        "recipientId": recipient_id,
        "ground": refs.get("ground", ""),
    }
    act |= recipient_told(named.get(recipient_id))
    return {name: value for name, value in act.items() if value not in ("", [])}


def _walk(persons: Sequence[Person], begin: Stop | None) -> Iterator[tuple[Person, _List, Key]]:
    """Every list of every subject in order, from where a part begins."""
    if begin is not None and begin.list_name == _PROCESSING:
        return
    started = begin is None
    for person in persons:
        for each in _LISTS:
            if not started and begin is not None:
                started = (begin.subject, begin.list_name) == (person.subject[1], each.name)
                if started:
                    yield person, each, begin.after
                continue
            yield person, each, ()


def _entry_place(begin: Stop | None) -> EntryPlace | None:
    if begin is None or begin.list_name != _PROCESSING:
        return None
    time, entry_id = begin.after
    return EntryPlace(datetime.fromisoformat(str(time)), str(entry_id))


def time_of(value: datetime) -> str:
    """An instant as the export has it."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _datum(person: Person, row: Any) -> Item:
    place = Place(SCHEMA, *person.subject, row.field, row.version)
    value = parse(field_of(row.field), decrypt(person.key, place, bytes(row.ciphertext)))
    return {
        "field": row.field,
        "value": value if isinstance(value, str) else {str(k): v for k, v in value.items()},
        "version": row.version,
        "supplier": row.supplier,
        "form": row.form,
        "storeTime": time_of(row.store_time),
    }


def _former(person: Person, row: Any) -> Item:
    ended = {"endVersion": row.end_version, "endTime": time_of(row.end_time)}
    return _datum(person, row) | ended


def _purchase(person: Person, row: Any) -> Item:
    line = open_line(person.key, *person.subject, row.order_id, row.line, bytes(row.ciphertext))
    return {
        "orderId": row.order_id,
        "line": row.line,
        "title": line.title,
        "quantity": line.quantity,
        "amount": line.amount,
        "currency": line.currency,
        "storeTime": time_of(row.store_time),
    }


def _visit(person: Person, row: Any) -> Item:
    visit = open_visit(person.key, *person.subject, row.visit_id, visit_row(row).sealed)
    told = {kind.partition(".")[2]: text for kind, text in visit.items()}
    return told | {"visitId": row.visit_id, "storeTime": time_of(row.store_time)}


def _document(person: Person, row: Any) -> Item:
    place = Place(SCHEMA, *person.subject, f"document/{row.document_id}", 1)
    return {
        "documentId": row.document_id,
        "kind": row.kind,
        "boundTo": row.bound_to,
        "text": decrypt(person.key, place, bytes(row.ciphertext)).decode(),
        "storeTime": time_of(row.store_time),
    }


def _correction(person: Person, row: Any) -> Item:
    place = Place(SCHEMA, *person.subject, f"correction/{row.correction_id}", 1)
    item = {
        "correctionId": row.correction_id,
        "claimId": row.claim_id,
        "data": json.loads(decrypt(person.key, place, bytes(row.ciphertext))),
        "stageTime": time_of(row.stage_time),
    }
    applied = row.applied_version
    return item if applied is None else item | {"appliedVersion": applied}


def _current(connection: Connection, subject: Subject, _after: Key, _limit: int) -> Sequence[Any]:
    return store_export.current_rows(connection, subject)


def _documents(connection: Connection, subject: Subject, after: Key, limit: int) -> Sequence[Any]:
    return store_export.document_rows(connection, subject, DOCUMENT_KINDS, after, limit)


_PROCESSING: Final = "processing"
_LISTS: Final = (
    # The list of data is closed: it is short, and comes whole.
    _List("data", _WHOLE, _current, _datum, lambda row: (row.field,)),
    _List(
        "history",
        _ROWS,
        store_export.former_rows,
        _former,
        lambda row: (row.field, row.version),
    ),
    _List(
        "purchases",
        _ROWS,
        store_export.purchase_rows,
        _purchase,
        lambda row: (row.order_id, row.line),
    ),
    _List("visits", _ROWS, store_export.visit_rows, _visit, lambda row: (row.visit_id,)),
    _List("documents", _LONG_ROWS, _documents, _document, lambda row: (row.document_id,)),
    _List(
        "corrections",
        _ROWS,
        store_export.correction_rows,
        _correction,
        lambda row: (row.correction_id,),
    ),
)
