# SPDX-License-Identifier: Apache-2.0
"""SQL of the ledger: lines are inserted, never changed; repeats are counted beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis import evidence
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.pseudonym import pseudonym_of
from services.disclosure.ledger import Disclosure, Outcome, minute_of
from services.disclosure.recipient import Kind
from services.disclosure.tables import disclosure_tallies, disclosures, recipients


def record_left(connection: Connection, line: Disclosure, proof: Entry) -> None:
    """Write the line and the evidence of data that leave, or may have left.

    `proof` gets the subject's pseudonym. Raises Unavailable: no record, no data.
    """
    _add(connection, line)
    evidence.append(connection, _named(connection, line, proof), line.disclose_time)


def record_refusal(
    connection: Connection, refusals: RefusalLog, line: Disclosure, proof: Entry
) -> None:
    """Write the line and the evidence of a refusal; repeats count within their minute.

    `proof` gets the subject's pseudonym. Raises Unavailable, or
    BudgetExhausted where the principal was refused too often.
    """
    refusals.record(connection, _named(connection, line, proof), line.disclose_time)
    _add_refusal(connection, line)


def listed(
    connection: Connection,
    site_id: str,
    subject_id: str,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Disclosure]:
    """A subject's lines, newest first, before the line at (time, id) `before`."""
    statement = (
        select(
            disclosures,
            recipients.c.legal_name,
            recipients.c.kind,
            func.coalesce(disclosure_tallies.c.count, 1).label("times"),
        )
        .outerjoin(
            recipients,
            and_(
                recipients.c.site_id == disclosures.c.site_id,
                recipients.c.recipient_id == disclosures.c.recipient_id,
            ),
        )
        .outerjoin(
            disclosure_tallies,
            and_(
                disclosure_tallies.c.site_id == disclosures.c.site_id,
                disclosure_tallies.c.disclosure_id == disclosures.c.disclosure_id,
            ),
        )
        .where(disclosures.c.site_id == site_id, disclosures.c.subject_id == subject_id)
        .order_by(disclosures.c.disclose_time.desc(), disclosures.c.disclosure_id.desc())
        .limit(limit)
    )
    if before is not None:
        place = tuple_(disclosures.c.disclose_time, disclosures.c.disclosure_id)
        statement = statement.where(place < before)
    return [_disclosure(row) for row in connection.execute(statement)]


def _named(connection: Connection, line: Disclosure, proof: Entry) -> Entry:
    return replace(proof, subject=pseudonym_of(connection, line.site_id, line.subject_id))


def _add(connection: Connection, line: Disclosure) -> None:
    connection.execute(
        insert(disclosures).values(
            site_id=line.site_id,
            disclosure_id=line.disclosure_id,
            subject_id=line.subject_id,
            outcome=line.outcome,
            reason=line.reason,
            clause=line.clause,
            recipient_id=line.recipient_id,
            order_id=line.order_id,
            delivery_id=line.delivery_id,
            fields=list(line.fields),
            disclose_time=line.disclose_time,
            first_disclosure_id=line.first_disclosure_id,
        )
    )


def _add_refusal(connection: Connection, line: Disclosure) -> None:
    statement = upsert(disclosure_tallies).values(
        site_id=line.site_id,
        delivery_id=line.delivery_id,
        recipient_id=line.recipient_id,
        reason=line.reason,
        minute=minute_of(line.disclose_time),
        disclosure_id=line.disclosure_id,
        count=1,
    )
    statement = statement.on_conflict_do_update(
        index_elements=["site_id", "delivery_id", "recipient_id", "reason", "minute"],
        set_={"count": disclosure_tallies.c.count + 1},
    )
    count = connection.execute(statement.returning(disclosure_tallies.c.count)).scalar_one()
    if count == 1:
        _add(connection, line)


def _disclosure(row: Row[Any]) -> Disclosure:
    return Disclosure(
        site_id=row.site_id,
        subject_id=row.subject_id,
        disclosure_id=row.disclosure_id,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        clause=row.clause,
        recipient_id=row.recipient_id,
        order_id=row.order_id,
        delivery_id=row.delivery_id,
        disclose_time=row.disclose_time,
        fields=tuple(row.fields),
        first_disclosure_id=row.first_disclosure_id,
        recipient_name=row.legal_name or "",
        recipient_kind=Kind(row.kind) if row.kind else None,
        count=row.times,
    )
