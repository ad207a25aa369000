# SPDX-License-Identifier: Apache-2.0
"""SQL of the ledger: lines are inserted, never changed; repeats are counted beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis import evidence
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.pseudonym import pseudonym_of, pseudonyms_of
from services.disclosure.ledger import Disclosure, Outcome, minute_of
from services.disclosure.permission import Ground
from services.disclosure.recipient import Kind
from services.disclosure.tables import disclosure_tallies, disclosures, recipients


def record_left(
    connection: Connection, lines: Sequence[tuple[Disclosure, Entry]], now: datetime
) -> None:
    """Write the lines and the evidence of data that leave, or may have left.

    The entries get the subjects' pseudonyms. Raises Unavailable: no record, no data.
    """
    if not lines:
        return
    _add(connection, [line for line, _ in lines])
    names = pseudonyms_of(connection, {(line.site_id, line.subject_id) for line, _ in lines})
    proofs = [replace(e, subject=names[(line.site_id, line.subject_id)]) for line, e in lines]
    evidence.append_all(connection, proofs, now)


def record_refusal(
    connection: Connection, refusals: RefusalLog, line: Disclosure, proof: Entry
) -> str:
    """Write the line and the evidence of a refusal; repeats count within their minute.

    `proof` gets the subject's pseudonym. Returns the id of the line that
    stands for it. Raises Unavailable, or BudgetExhausted, before anything is
    written, where the principal was refused too often.
    """
    subject = pseudonym_of(connection, line.site_id, line.subject_id)
    refusals.record(connection, replace(proof, subject=subject), line.disclose_time)
    return _add_refusal(connection, line)


def find(connection: Connection, site_id: str, disclosure_id: str) -> Disclosure | None:
    """One line of the site's."""
    row = connection.execute(
        _lines().where(
            disclosures.c.site_id == site_id, disclosures.c.disclosure_id == disclosure_id
        )
    ).one_or_none()
    return None if row is None else _disclosure(row)


def listed(
    connection: Connection,
    site_id: str,
    subject_id: str,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Disclosure]:
    """A subject's lines, newest first, before the line at (time, id) `before`."""
    statement = (
        _lines()
        .where(disclosures.c.site_id == site_id, disclosures.c.subject_id == subject_id)
        .order_by(disclosures.c.disclose_time.desc(), disclosures.c.disclosure_id.desc())
        .limit(limit)
    )
    if before is not None:
        place = tuple_(disclosures.c.disclose_time, disclosures.c.disclosure_id)
        statement = statement.where(place < before)
    return [_disclosure(row) for row in connection.execute(statement)]


def _lines() -> Select[Any]:
    return (
        select(
            disclosures,
            recipients.c.legal_name,
            recipients.c.bin,
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
    )


def _add(connection: Connection, lines: Sequence[Disclosure]) -> None:
    connection.execute(
        insert(disclosures),
        [
            {
                "site_id": line.site_id,
                "disclosure_id": line.disclosure_id,
                "subject_id": line.subject_id,
                "outcome": line.outcome,
                "reason": line.reason,
                "clause": line.clause,
                "recipient_id": line.recipient_id,
                "order_id": line.order_id,
                "delivery_id": line.delivery_id,
                "fields": list(line.fields),
                "disclose_time": line.disclose_time,
                "first_disclosure_id": line.first_disclosure_id,
                "rule": line.rule,
                "ground": line.ground,
            }
            for line in lines
        ],
    )


def _add_refusal(connection: Connection, line: Disclosure) -> str:
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
    stands, count = connection.execute(
        statement.returning(disclosure_tallies.c.disclosure_id, disclosure_tallies.c["count"])
    ).one()
    if count == 1:
        _add(connection, [line])
    return str(stands)


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
        rule=row.rule,
        ground=Ground(row.ground),
        recipient_name=row.legal_name or "",
        recipient_bin=row.bin or "",
        recipient_kind=Kind(row.kind) if row.kind else None,
        count=row.times,
    )
