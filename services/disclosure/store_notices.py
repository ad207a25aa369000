# SPDX-License-Identifier: Apache-2.0
"""SQL of recalls and notices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    and_,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis.ids import new_uuid
from services.disclosure.notice import INSTRUCTIONS, Instruction, Notice, NoticeState, Recall
from services.disclosure.order import OrderState
from services.disclosure.tables import HAS_LEFT, IS_PREPARED, deliveries, orders, releases
from services.disclosure.tables_notices import notices, recall_cursor, recalls

_GOES_ON = exists(
    select(deliveries.c.delivery_id)
    .join(
        orders,
        and_(
            orders.c.site_id == deliveries.c.site_id,
            orders.c.registration_id == deliveries.c.registration_id,
        ),
    )
    .where(
        deliveries.c.site_id == releases.c.site_id,
        deliveries.c.delivery_id == releases.c.delivery_id,
        deliveries.c.ended_time.is_(None),
        orders.c.state == OrderState.OPEN,
    )
)


def cursor(connection: Connection) -> tuple[str, str]:
    """(life of the vault, cursor); both empty before the first answer."""
    row = connection.execute(select(recall_cursor)).one_or_none()
    return ("", "") if row is None else (row.vault_incarnation, row.cursor)


def keep(
    connection: Connection, heard: Sequence[Recall], vault_incarnation: str, place: str
) -> None:
    """Keep what was heard, once each, by which life of the vault last, and how far that was."""
    if heard:
        rows = [
            {
                "change_id": each.change_id,
                "site_id": each.site_id,
                "subject_id": each.subject_id,
                "kind": each.kind,
                "change_time": each.change_time,
                "settled": False,
                "vault_incarnation": vault_incarnation,
            }
            for each in heard
        ]
        again = {"vault_incarnation": vault_incarnation}
        connection.execute(
            upsert(recalls).on_conflict_do_update(index_elements=["change_id"], set_=again), rows
        )
    members = {"vault_incarnation": vault_incarnation, "cursor": place}
    statement = upsert(recall_cursor).values(only=True, **members)
    connection.execute(statement.on_conflict_do_update(index_elements=["only"], set_=members))


def unsettled(connection: Connection, limit: int) -> list[Recall]:
    """Recalls whose notices may not all be there yet, the oldest first."""
    rows = connection.execute(
        select(recalls).where(~recalls.c.settled).order_by(recalls.c.change_id).limit(limit)
    )
    return [Recall(r.change_id, r.site_id, r.subject_id, r.kind, r.change_time) for r in rows]


def notify(connection: Connection, recall: Recall, now: datetime) -> list[Notice]:
    """Write the notices that are missing; settle the recall where none can follow any more.

    A release from before the change was PREPARED before the vault told of it:
    once no release of the subject is PREPARED, all that left is known.
    """
    subject = {"site_id": recall.site_id, "subject_id": recall.subject_id}
    of_subject = select(releases).filter_by(**subject)
    pending = connection.execute(select(exists(of_subject.where(IS_PREPARED)))).scalar_one()
    told = select(notices.c.delivery_id).where(notices.c.change_id == recall.change_id)
    r = releases.c
    holders = (
        select(r.recipient_id, r.order_id, r.delivery_id)
        .filter_by(**subject)
        .where(HAS_LEFT, r.delivery_id.not_in(told))
        .distinct()
    )
    if INSTRUCTIONS[recall.kind] is Instruction.RESUME:
        # Whoever lost the delivery, or whose order is closed, has nothing to go on with.
        holders = holders.where(_GOES_ON)
    rows = connection.execute(holders)
    made = [
        Notice(
            recall.site_id,
            new_uuid(),
            recall.subject_id,
            row.recipient_id,
            row.order_id,
            row.delivery_id,
            INSTRUCTIONS[recall.kind],
            NoticeState.OPEN,
            now,
        )
        for row in rows
    ]
    if made:
        connection.execute(insert(notices), [_row(recall, each) for each in made])
    if not pending:
        settled = update(recalls).filter_by(change_id=recall.change_id)
        connection.execute(settled.values(settled=True))
    return made


def listed(
    connection: Connection,
    site_id: str,
    recipient_id: str,
    state: NoticeState | None,
    before: str,
    limit: int,
    made_before: datetime | None = None,
) -> list[Notice]:
    """Notices of a site, or of one recipient of it, newest first, before the id `before`.

    With `made_before` only those made before then that nobody has fetched.
    """
    statement = select(notices).filter_by(site_id=site_id)
    if recipient_id:
        statement = statement.filter_by(recipient_id=recipient_id)
    if state is not None:
        statement = statement.filter_by(state=state)
    if made_before is not None:
        statement = statement.where(_unfetched(made_before))
    if before:
        statement = statement.where(notices.c.notice_id < before)
    rows = connection.execute(statement.order_by(notices.c.notice_id.desc()).limit(limit))
    return [_notice(row) for row in rows]


def count_unfetched(connection: Connection, made_before: datetime) -> int:
    """How many notices, of all sites, were made before then and fetched by nobody."""
    unfetched = select(func.count()).select_from(notices).where(_unfetched(made_before))
    return int(connection.execute(unfetched).scalar_one())


def _unfetched(made_before: datetime) -> ColumnElement[bool]:
    # In the words of the index: a parameter would not match it.
    open_ = literal_column("state = 'OPEN'", Boolean())
    return and_(open_, notices.c.create_time < made_before)


def send(connection: Connection, site_id: str, notice_ids: Collection[str], now: datetime) -> None:
    """The recipient has fetched them; what it had fetched before stays as it is."""
    if notice_ids:
        connection.execute(
            update(notices)
            .filter_by(site_id=site_id, state=NoticeState.OPEN)
            .where(notices.c.notice_id.in_(notice_ids))
            .values(state=NoticeState.SENT, send_time=now)
        )


def find(connection: Connection, site_id: str, notice_id: str) -> Notice | None:
    """A notice of the site; held until the transaction ends."""
    row = connection.execute(
        select(notices).filter_by(site_id=site_id, notice_id=notice_id).with_for_update()
    ).one_or_none()
    return None if row is None else _notice(row)


def acknowledge(connection: Connection, notice: Notice, now: datetime) -> None:
    """The recipient has done what it says."""
    connection.execute(
        update(notices)
        .filter_by(site_id=notice.site_id, notice_id=notice.notice_id)
        .values(
            state=NoticeState.ACKNOWLEDGED,
            acknowledge_time=now,
            send_time=notice.send_time or now,
        )
    )


def _row(recall: Recall, notice: Notice) -> dict[str, object]:
    return {
        "site_id": notice.site_id,
        "notice_id": notice.notice_id,
        "change_id": recall.change_id,
        "subject_id": notice.subject_id,
        "recipient_id": notice.recipient_id,
        "order_id": notice.order_id,
        "delivery_id": notice.delivery_id,
        "instruction": notice.instruction,
        "state": notice.state,
        "create_time": notice.create_time,
    }


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        row.site_id,
        row.notice_id,
        row.subject_id,
        row.recipient_id,
        row.order_id,
        row.delivery_id,
        Instruction(row.instruction),
        NoticeState(row.state),
        row.create_time,
        row.send_time,
        row.acknowledge_time,
    )
