# SPDX-License-Identifier: Apache-2.0
"""Statistics of visits (clause 3.3.2): what leaves has no address and no subject."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from qupia.vault.v1 import storing_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
    VaultNotReady,
)
from services.vault import store, store_records, store_statistics
from services.vault.decide import RULES_VERSION, Operation, Permit, Question
from services.vault.envelope import CiphertextMisplaced
from services.vault.gate import decide_case
from services.vault.provider import KeyProviderError
from services.vault.statistics import LONGEST_AGO, DayCount, VisitCounts
from services.vault.store_keys import KeyStore
from services.vault.store_records import GroupRow
from services.vault.visits import OLDEST, open_groups

_QUESTION = Question(Operation.SUMMARIZE_VISITS)
_DAYS = 31
_BATCH = 500
_DAY, _WEEK = timedelta(days=1), timedelta(days=6)


class StatisticsServicer:
    """SummarizeVisits of the contract."""

    def __init__(self, database: Database, keys: KeyStore, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._metrics = metrics

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"SummarizeVisits": self.summarize_visits}

    def summarize_visits(self, call: Call) -> storing_pb2.SummarizeVisitsResponse:
        """Counts in batches, each a transaction under the locks of its subjects."""
        request = call.request
        assert isinstance(request, storing_pb2.SummarizeVisitsRequest)
        first, last = self._range(request)
        site = call.principal.site_id
        with self._database.transaction() as connection:
            counts = VisitCounts(store_statistics.read_counts(connection, site, first, last))
        counted, left_out = 0, 0
        since, until = _midnight(first), _midnight(last) + _DAY + OLDEST
        after = None
        while True:
            call.check_deadline()
            with self._database.transaction() as connection:
                if not store.ready(connection):
                    raise VaultNotReady(retry_after=1)
                page = store_records.groups(connection, site, since - _DAY, until, after, _BATCH)
                opened = self._open(connection, [row for _, row in page])
            for subject, day, browser, network in opened:
                if first.isoformat() <= day <= last.isoformat():
                    counts.add(subject, day, browser, network)
                    counted += 1
            left_out += len(page) - len(opened)
            if len(page) < _BATCH:
                break
            stored, row = page[-1]
            after = (stored, row.subject, row.visit_id)
        self._record(call, counted, left_out)
        return storing_pb2.SummarizeVisitsResponse(days=[_message(d) for d in counts.days()])

    def _open(
        self, connection: Connection, rows: Sequence[GroupRow]
    ) -> list[tuple[str, str, str, str]]:
        """The groups of those visits whose subjects the standing permits to count."""
        wanted = sorted({(row.site, row.subject) for row in rows})
        if not wanted:
            return []
        locked = store.try_lock_shared(connection, wanted)
        free = [s for s, taken in zip(wanted, locked, strict=True) if taken]
        cases, keys = store.cases(connection, free), self._keys.owner_keys(free)
        now = self._clock.now()
        secrets = {}
        try:
            for subject in free:
                permitted = isinstance(decide_case(_QUESTION, cases[subject], now), Permit)
                if permitted and subject in keys:
                    secrets[subject] = self._keys.open(*subject, keys[subject])
        except KeyProviderError:
            raise KeyUnavailable from None
        found = []
        for row in rows:
            key = secrets.get((row.site, row.subject))
            try:
                if key is not None:
                    place = (row.site, row.subject, row.visit_id)
                    found.append((row.subject, *open_groups(key, *place, row.ciphertext)))
            except CiphertextMisplaced:
                self._metrics.alarms.labels("ciphertext_misplaced").inc()
        return found

    def _record(self, call: Call, counted: int, left_out: int) -> None:
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.PERMITTED,
            site_id=call.principal.site_id,
            principal=call.principal.name,
            role=call.role,
            clause="3.3.2",
            decided_on={"rulesVersion": RULES_VERSION, "counted": counted, "leftOut": left_out},
        )
        with self._database.transaction() as connection:
            evidence.append(connection, entry, self._clock.now())

    def _range(self, request: storing_pb2.SummarizeVisitsRequest) -> tuple[date, date]:
        today = self._clock.now().astimezone(UTC).date()
        last = date.fromisoformat(request.to_date) if request.to_date else today
        first = date.fromisoformat(request.from_date) if request.from_date else last - _WEEK
        if first < today - LONGEST_AGO:
            raise _wrong("fromDate", f"at most {LONGEST_AGO.days} days ago")
        if not first <= last < first + timedelta(days=_DAYS):
            raise _wrong("toDate", f"from fromDate on, at most {_DAYS} days in all")
        return first, last


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _message(day: DayCount) -> storing_pb2.DayCount:
    return storing_pb2.DayCount(
        date=day.date,
        visits=day.visits,
        browsers=[storing_pb2.GroupCount(group=g, visits=n) for g, n in day.browsers.items()],
        networks=[storing_pb2.GroupCount(group=g, visits=n) for g, n in day.networks.items()],
    )


def _wrong(field: str, description: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation(field, "range", description)])
