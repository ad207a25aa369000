# SPDX-License-Identifier: Apache-2.0
"""SQL of the daily budgets of subjects. Functions take the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Table,
    column,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection
from sqlalchemy.sql import cast, literal

from services.vault.tables_budgets import budget_days, budget_subjects

Spender = tuple[str, str]
"""(site, principal)"""


def marked(
    connection: Connection, spender: Spender, day: date, marks: Collection[bytes]
) -> set[bytes]:
    """Those of the marks that stand already."""
    asked = (
        func.unnest(cast(literal(list(marks), ARRAY(LargeBinary)), ARRAY(LargeBinary)))
        .table_valued(column("mark", LargeBinary))
        .render_derived("asked")
    )
    statement = select(budget_subjects.c.mark).join(asked, budget_subjects.c.mark == asked.c.mark)
    rows = connection.execute(statement.where(*_here(budget_subjects, spender, day)))
    return {bytes(row.mark) for row in rows}


def lock_spent(connection: Connection, spender: Spender, day: date) -> int:
    """How many subjects were reached; nobody else adds one before the transaction ends."""
    site, principal = spender
    return int(
        connection.execute(
            upsert(budget_days)
            .values(site_id=site, principal=principal, day=day, subjects=0)
            .on_conflict_do_update(
                index_elements=["site_id", "principal", "day"],
                set_={"subjects": budget_days.c.subjects},
            )
            .returning(budget_days.c.subjects)
        ).scalar_one()
    )


def spend(connection: Connection, spender: Spender, day: date, marks: Collection[bytes]) -> None:
    """Add subjects that were not reached before; the count is locked."""
    site, principal = spender
    connection.execute(
        insert(budget_subjects),
        [{"site_id": site, "principal": principal, "day": day, "mark": m} for m in marks],
    )
    connection.execute(
        update(budget_days)
        .where(*_here(budget_days, spender, day))
        .values(subjects=budget_days.c.subjects + cast(literal(len(marks)), Integer))
    )


def forget_budgets(connection: Connection, before: date) -> None:
    """Forget the days before that one."""
    connection.execute(delete(budget_subjects).where(budget_subjects.c.day < before))
    connection.execute(delete(budget_days).where(budget_days.c.day < before))


def _here(table: Table, spender: Spender, day: date) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.site_id == spender[0],
        table.c.principal == spender[1],
        table.c.day == day,
    )
