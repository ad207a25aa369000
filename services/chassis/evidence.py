# SPDX-License-Identifier: Apache-2.0
"""Evidence: append-only entries in the transaction of the act (clause 1.1.3).

An entry holds no personal data: the subject as a random pseudonym, reasons,
clauses, ids and digests. Its body is canonical JSON, so that its digest can
become a leaf of a transparency log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from services.chassis.arrays import Instants, Integers, Texts
from services.chassis.ids import new_uuid
from services.chassis.prepared import Prepared, given
from services.chassis.refusal import BudgetExhausted, Unavailable

metadata = MetaData()

entries = Table(
    "evidence_entries",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("site_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("record_time", DateTime(timezone=True), nullable=False),
    Column("body", Text, nullable=False),
    Column("secret_until", DateTime(timezone=True)),
)
"""One row per entry; INSERT and SELECT only, by privilege."""

tallies = Table(
    "refusal_tallies",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("entry_id", Text, nullable=False),
    Column("count", Integer, nullable=False),
)
"""How often the same refusal of one principal was repeated within its minute."""

_new = given(
    "new",
    **{
        column.name: column.type
        for column in entries.columns
        if column is not entries.c.record_time
    },
)
_INSERT = Prepared(
    insert(entries).from_select(
        [*_new.columns.keys(), "record_time"],
        select(*_new.columns, bindparam("record_time", type_=entries.c.record_time.type)),
    )
)

_this_minute = bindparam("this_minute", type_=tallies.c.minute.type)
_whose = given("whose", site_id=Text, principal=Text)
_SPENT = Prepared(
    select(tallies.c.site_id, tallies.c.principal, func.sum(tallies.c["count"]))
    .join_from(
        _whose,
        tallies,
        and_(
            tallies.c.site_id == _whose.c.site_id,
            tallies.c.principal == _whose.c.principal,
            tallies.c.minute == _this_minute,
        ),
    )
    .group_by(tallies.c.site_id, tallies.c.principal)
)
_kinds = given(
    "kinds", site_id=Text, principal=Text, fingerprint=Text, entry_id=Text, count=Integer
)
_counting = upsert(tallies).from_select(
    [*_kinds.columns.keys(), "minute"],
    select(*_kinds.columns, _this_minute).order_by(
        _kinds.c.site_id, _kinds.c.principal, _kinds.c.fingerprint
    ),
)
_COUNT = Prepared(
    _counting.on_conflict_do_update(
        index_elements=["site_id", "principal", "minute", "fingerprint"],
        set_={"count": tallies.c["count"] + _counting.excluded["count"]},
    ).returning(
        tallies.c.site_id,
        tallies.c.principal,
        tallies.c.fingerprint,
        tallies.c.entry_id,
        tallies.c["count"],
    )
)

TallyKey = tuple[str, str, str]
"""(site, principal, fingerprint)"""

PERMITTED, REFUSED, DONE = "PERMITTED", "REFUSED", "DONE"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is recorded of one act, permit or refusal.

    `subject` is the pseudonym, empty where no known subject is concerned.
    `refs` are ids (order_id, claim_id, …), `decided_on` what a decision rested
    on, `digests` salted digests of a caller's free text. Until `secret_until`
    the person concerned is not told of it (clause 5.3, a request under secrecy).
    """

    event: str
    verb: str
    outcome: str
    site_id: str
    principal: str
    role: str = ""
    subject: str = ""
    clause: str = ""
    reason: str = ""
    refs: Mapping[str, str] = field(default_factory=dict)
    decided_on: Mapping[str, object] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    secret_until: datetime | None = None
    entry_id: str = field(default_factory=new_uuid)

    def body(self, record_time: datetime) -> str:
        """Canonical JSON: keys sorted, no white space, empty members left out."""
        members: dict[str, object] = {
            "entryId": self.entry_id,
            "event": self.event,
            "verb": self.verb,
            "outcome": self.outcome,
            "siteId": self.site_id,
            "principal": self.principal,
            "role": self.role,
            "subject": self.subject,
            "clause": self.clause,
            "reason": self.reason,
            "refs": self.refs,
            "decidedOn": self.decided_on,
            "digests": self.digests,
            "secretUntil": instant(self.secret_until) if self.secret_until else "",
            "recordTime": instant(record_time),
        }
        return _canonical({key: value for key, value in members.items() if value})


_canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=dict
).encode


def instant(time: datetime) -> str:
    """An instant as bodies have it: UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def append(connection: Connection, entry: Entry, record_time: datetime) -> None:
    """Write one entry in the caller's transaction. Raises Unavailable: no record, no act."""
    append_all(connection, [entry], record_time)


def append_all(connection: Connection, batch: Sequence[Entry], record_time: datetime) -> None:
    """Write entries in the caller's transaction, in one statement.

    Raises Unavailable where they cannot be written, whatever the cause.
    """
    if not batch:
        return
    columns = {
        "entry_id": Texts([e.entry_id for e in batch]),
        "site_id": Texts([e.site_id for e in batch]),
        "event": Texts([e.event for e in batch]),
        "outcome": Texts([e.outcome for e in batch]),
        "subject": Texts([e.subject for e in batch]),
        "body": Texts([e.body(record_time) for e in batch]),
        "secret_until": Instants([e.secret_until for e in batch]),
    }
    try:
        _INSERT.run(connection, record_time=record_time, **columns)
    except (DBAPIError, psycopg.Error):
        raise Unavailable(retry_after=1) from None


def append_counted(
    connection: Connection, counted: Sequence[tuple[Entry, int]], now: datetime
) -> None:
    """Record refusals that were counted before, in the caller's transaction and without a budget.

    Each entry is of another kind, with how often it was. Of a kind there is one entry a minute.
    Raises Unavailable where they cannot be written.
    """
    kinds = {tally_key(entry): (entry, times) for entry, times in counted}
    try:
        standing = _tally(connection, kinds, now.replace(second=0, microsecond=0))
    except (DBAPIError, psycopg.Error):
        raise Unavailable(retry_after=1) from None
    fresh = [entry for key, (entry, times) in kinds.items() if standing[key][1] == times]
    append_all(connection, fresh, now)


class RefusalLog:
    """Records refusals: repeats coalesce per minute, behind a budget per principal.

    The first of a kind in a minute is an entry; the next ones are counted on
    it, so that a caller who is refused a million times cannot fill the disk.
    """

    def __init__(self, budget_per_minute: int) -> None:
        self._budget = budget_per_minute

    def record(self, connection: Connection, entry: Entry, now: datetime) -> str:
        """Record a refusal; returns the id of the entry that stands for it.

        Raises BudgetExhausted where the principal was refused too often in
        this minute, Unavailable where the entry cannot be written.
        """
        [entry_id] = self.record_all(connection, [entry], now)
        if entry_id is None:
            raise BudgetExhausted(retry_after=60)
        return entry_id

    def record_all(
        self, connection: Connection, refusals: Sequence[Entry], now: datetime
    ) -> list[str | None]:
        """Record refusals in as many statements as for one; the ids of the entries for them.

        None for one past its principal's budget. They are counted in one order everywhere: two
        batches never wait for each other's tallies. Raises Unavailable as `record` does.
        """
        if not refusals:
            return []
        minute = now.replace(second=0, microsecond=0)
        try:
            spent = self._spent(connection, refusals, minute)
            counted: dict[TallyKey, list[Entry]] = {}
            for entry in sorted(refusals, key=tally_key):
                principal = (entry.site_id, entry.principal)
                if spent.get(principal, 0) < self._budget:
                    spent[principal] = spent.get(principal, 0) + 1
                    counted.setdefault(tally_key(entry), []).append(entry)
            kinds = {key: (each[0], len(each)) for key, each in counted.items()}
            standing = _tally(connection, kinds, minute)
        except (DBAPIError, psycopg.Error):
            raise Unavailable(retry_after=1) from None
        fresh = [each[0] for key, each in counted.items() if standing[key][1] == len(each)]
        append_all(connection, fresh, now)
        told = {id(entry): standing[key][0] for key, each in counted.items() for entry in each}
        return [told.get(id(entry)) for entry in refusals]

    def _spent(
        self, connection: Connection, refusals: Sequence[Entry], minute: datetime
    ) -> dict[tuple[str, str], int]:
        whose = list(dict.fromkeys((entry.site_id, entry.principal) for entry in refusals))
        rows = _SPENT.rows(
            connection,
            site_id=Texts([site for site, _ in whose]),
            principal=Texts([principal for _, principal in whose]),
            this_minute=minute,
        )
        return {(site, principal): int(count) for site, principal, count in rows}


def _tally(
    connection: Connection, kinds: Mapping[TallyKey, tuple[Entry, int]], minute: datetime
) -> dict[TallyKey, tuple[str, int]]:
    """The entry that stands for each kind of refusal in this minute, and how often it was.

    They are counted in one order everywhere: two who count never wait for each other's tallies.
    """
    if not kinds:
        return {}
    rows = _COUNT.rows(
        connection,
        site_id=Texts([site for site, _, _ in kinds]),
        principal=Texts([principal for _, principal, _ in kinds]),
        fingerprint=Texts([fingerprint for _, _, fingerprint in kinds]),
        entry_id=Texts([entry.entry_id for entry, _ in kinds.values()]),
        count=Integers([times for _, times in kinds.values()]),
        this_minute=minute,
    )
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def tally_key(entry: Entry) -> TallyKey:
    """What a refusal is counted under; whoever records several does it in this order."""
    return entry.site_id, entry.principal, _fingerprint(entry)


def _fingerprint(entry: Entry) -> str:
    parts = [entry.event, entry.reason, entry.clause, entry.subject, entry.role]
    parts.append(str(entry.decided_on.get("rule", "")))
    parts += [f"{key}={value}" for key, value in sorted(entry.refs.items()) if key != "release_id"]
    return "|".join(parts)
