# SPDX-License-Identifier: Apache-2.0
"""SQL of what officers have to do by a day (clause 6.2.3; law.md 2.3)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.deadline import Deadline
from services.claims.tables_verification import tasks

Place = tuple[date, str, str, str]
"""(due date, claim, subject, kind)"""

Destruction = tuple[str, date, str, str]
"""(site, due date, claim, subject)"""


class TaskKind(StrEnum):
    """What is to be done."""

    DESTROY = "DESTROY"
    SETTLE_AUTHORITY = "SETTLE_AUTHORITY"
    SETTLE_SAME_CONTACT = "SETTLE_SAME_CONTACT"
    CONFIRM_RECEIPT_TIME = "CONFIRM_RECEIPT_TIME"
    ANSWER_CLAIM = "ANSWER_CLAIM"
    TELL_NO_ANSWER = "TELL_NO_ANSWER"
    RECOVERED_CLAIM = "RECOVERED_CLAIM"


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do; `subject_id` is empty where it concerns the claim as a whole."""

    site_id: str
    claim_id: str
    subject_id: str
    kind: TaskKind
    deadline: Deadline
    create_time: datetime
    done_time: datetime | None = None

    @property
    def place(self) -> Place:
        """Where a page that ends with it goes on."""
        return self.deadline.due_date, self.claim_id, self.subject_id, self.kind


def give(connection: Connection, task: Task) -> None:
    """Give a task; one of the same kind that was done before is to be done again."""
    place = {
        "site_id": task.site_id,
        "claim_id": task.claim_id,
        "subject_id": task.subject_id,
        "kind": task.kind,
    }
    members = {
        "due_date": task.deadline.due_date,
        "due_time": task.deadline.due_time,
        "calendar_version": task.deadline.calendar_version,
        "create_time": task.create_time,
        "done_time": None,
    }
    connection.execute(
        upsert(tasks)
        .values(**place, **members)
        .on_conflict_do_update(index_elements=list(place), set_=members)
    )


def done(
    connection: Connection,
    site_id: str,
    claim_id: str,
    kind: TaskKind,
    now: datetime,
    subject_id: str = "",
) -> None:
    """A task is done; nothing happens where it was, or was never given."""
    connection.execute(
        update(tasks)
        .filter_by(
            site_id=site_id, claim_id=claim_id, subject_id=subject_id, kind=kind, done_time=None
        )
        .values(done_time=now)
    )


def list_tasks(
    connection: Connection,
    site_id: str,
    kind: str | None,
    due_before: date | None,
    after: Place | None,
    limit: int,
    *,
    include_done: bool,
) -> list[Task]:
    """Tasks by due date, behind the place `after`."""
    t = tasks.c
    order = (t.due_date, t.claim_id, t.subject_id, t.kind)
    statement = select(tasks).where(t.site_id == site_id).order_by(*order).limit(limit)
    if kind is not None:
        statement = statement.where(t.kind == kind)
    if due_before is not None:
        statement = statement.where(t.due_date <= due_before)
    if not include_done:
        statement = statement.where(t.done_time.is_(None))
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    return [
        Task(
            row.site_id,
            row.claim_id,
            row.subject_id,
            TaskKind(row.kind),
            Deadline(row.due_date, row.due_time, row.calendar_version),
            row.create_time,
            row.done_time,
        )
        for row in connection.execute(statement)
    ]


def count_overdue(connection: Connection, now: datetime) -> int:
    """How many tasks, of all sites, are past their term and not done."""
    t = tasks.c
    overdue = (
        select(func.count()).select_from(tasks).where(t.done_time.is_(None), t.due_time <= now)
    )
    return int(connection.execute(overdue).scalar_one())


def open_destructions(
    connection: Connection, after: Destruction | None, limit: int
) -> list[Destruction]:
    """The tasks of data that are still to be destroyed, after a place in their order."""
    t = tasks.c
    order = (t.site_id, t.due_date, t.claim_id, t.subject_id)
    statement = select(*order).where(t.kind == TaskKind.DESTROY, t.done_time.is_(None))
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    rows = connection.execute(statement.order_by(*order).limit(limit))
    return [(row.site_id, row.due_date, row.claim_id, row.subject_id) for row in rows]
