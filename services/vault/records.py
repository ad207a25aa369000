# SPDX-License-Identifier: Apache-2.0
"""Visits and purchases at the gate: only what a permit reaches is read and decrypted (T-4.1-b)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.chassis.database import Connection
from services.vault import store_records
from services.vault.decide import Decision, Permit, Question
from services.vault.fields import TECHNICAL_FIELDS, Field
from services.vault.purchases import OrderLine, open_line
from services.vault.secret_key import SecretKey
from services.vault.store import Subject
from services.vault.store_records import LineRow, VisitRow
from services.vault.visits import Visit, open_visit

Asked = tuple[Subject, Question]


@dataclass(frozen=True, slots=True)
class Records:
    """The visits, newest first, and the order lines that a read gives out."""

    visits: tuple[Visit, ...] = ()
    lines: tuple[tuple[str, OrderLine], ...] = field(default=(), repr=False)

    @property
    def fields(self) -> frozenset[Field]:
        """What of the closed list they hold."""
        kinds = frozenset(kind for visit in self.visits for kind in visit)
        return kinds | ({Field.PURCHASES} if self.lines else frozenset())


@dataclass(frozen=True, slots=True)
class SealedRecords:
    """The ciphertexts of what permits reach."""

    visits: Mapping[tuple[Subject, datetime | None], Sequence[VisitRow]]
    lines: Mapping[tuple[tuple[str, str, str], datetime | None], Sequence[LineRow]]

    def of(self, asked: Asked, permit: Permit) -> tuple[list[VisitRow], list[LineRow]]:
        """Those that one permit reaches."""
        subject, question = asked
        until, kinds = question.stored_until, permit.fields & TECHNICAL_FIELDS
        visits = [
            VisitRow(row.visit_id, {k: c for k, c in row.sealed.items() if k in kinds})
            for row in (self.visits.get((subject, until), ()) if kinds else ())
        ]
        reached = Field.PURCHASES in permit.fields
        place = (*subject, _order(question))
        lines = self.lines.get((place, until), ()) if reached else ()
        return visits, list(lines)


def sealed_records(
    connection: Connection, asked: Sequence[Asked], decisions: Sequence[Decision]
) -> SealedRecords:
    """What the permits among the decisions reach; nothing is queried where none does."""
    permitted = [
        (each, decision.fields)
        for each, decision in zip(asked, decisions, strict=True)
        if isinstance(decision, Permit)
    ]
    visits: dict[tuple[Subject, datetime | None], Sequence[VisitRow]] = {}
    lines: dict[tuple[tuple[str, str, str], datetime | None], Sequence[LineRow]] = {}
    # One value for nearly every batch: only what repeats a release looks back.
    for until in {question.stored_until for (_, question), _ in permitted}:
        alike = [(s, q, fields) for (s, q), fields in permitted if q.stored_until == until]
        visited = {subject for subject, _, fields in alike if fields & TECHNICAL_FIELDS}
        bought = {(*s, _order(q)) for s, q, fields in alike if Field.PURCHASES in fields}
        for subject, rows in store_records.recent_visits(connection, visited, until).items():
            visits[subject, until] = rows
        for place, bought_rows in store_records.lines(connection, bought, until).items():
            lines[place, until] = bought_rows
    return SealedRecords(visits, lines)


def open_records(
    key: SecretKey, subject: Subject, visits: Iterable[VisitRow], lines: Iterable[LineRow]
) -> Records:
    """The records in the clear. Raises CiphertextMisplaced."""
    return Records(
        tuple(open_visit(key, *subject, row.visit_id, row.sealed) for row in visits),
        tuple(
            (row.order_id, open_line(key, *subject, row.order_id, row.line, row.ciphertext))
            for row in lines
        ),
    )


def _order(question: Question) -> str:
    # A payment reaches the lines of what is paid, and no other (T-4.1.8-a).
    return question.reference if question.purpose == "PAYMENT" else ""
