# SPDX-License-Identifier: Apache-2.0
"""SQL of the clock of claims: whose alarm is due, and what is told. Clause 8.2."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Boolean, Row, Select, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.claims.answer import Sending
from services.claims.claim import Claim
from services.claims.notice import Notice, NoticeKind
from services.claims.tables import claims
from services.claims.tables_clock import claim_notices

Place = tuple[str, str]
"""(site, claim)"""


def due_alarms(now: datetime, limit: int) -> Select[*tuple[object, ...]]:
    """The statement of what is due: it reads as many rows as there is to do, not as there are."""
    c = claims.c
    return (
        select(c.site_id, c.claim_id)
        .where(c.alarm_time.is_not(None), c.alarm_time <= now)
        .order_by(c.alarm_time)
        .limit(limit)
    )


def list_due(connection: Connection, now: datetime, limit: int) -> Sequence[Place]:
    """Claims whose alarm is due, the longest waiting first."""
    return [(row.site_id, row.claim_id) for row in connection.execute(due_alarms(now, limit))]


def count_lapsed(connection: Connection) -> int:
    """How many claims, of all sites, lapsed and still have no answer."""
    # In the words of the index: a parameter would not match it.
    lapsed = literal_column("state = 'NO_ANSWER'", Boolean())
    return int(
        connection.execute(select(func.count()).select_from(claims).where(lapsed)).scalar_one()
    )


def take(connection: Connection, place: Place, now: datetime) -> bool:
    """Lock a claim whose alarm is due; False where another process has it, or it is due no more."""
    c = claims.c
    statement = (
        select(c.claim_id)
        .where(c.site_id == place[0], c.claim_id == place[1], c.alarm_time <= now)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(statement).first() is not None


def put_off(connection: Connection, place: Place, time: datetime) -> None:
    """Look at a claim again at `time`."""
    connection.execute(
        update(claims).filter_by(site_id=place[0], claim_id=place[1]).values(alarm_time=time)
    )


def give_notice(connection: Connection, claim: Claim, notice: Notice) -> None:
    """Have something told; told again where it was told before (of another term)."""
    values = _values(notice)
    connection.execute(
        upsert(claim_notices)
        .values(site_id=claim.site_id, claim_id=claim.claim_id, kind=notice.kind, **values)
        .on_conflict_do_update(index_elements=["site_id", "claim_id", "kind"], set_=values)
    )


def write_notice(connection: Connection, claim: Claim, notice: Notice) -> None:
    """What became of a notice."""
    connection.execute(
        update(claim_notices)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id, kind=notice.kind)
        .values(_values(notice))
    )


def read_notice(
    connection: Connection, place: Place, kind: NoticeKind, *, lock: bool = False
) -> Notice | None:
    """A notice of a claim, locked where asked; None where none was to be given."""
    statement = select(claim_notices).filter_by(site_id=place[0], claim_id=place[1], kind=kind)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _notice(row)


def notices_of(connection: Connection, place: Place) -> list[Notice]:
    """All notices of a claim, the oldest first."""
    rows = connection.execute(
        select(claim_notices)
        .filter_by(site_id=place[0], claim_id=place[1])
        .order_by(claim_notices.c.create_time, claim_notices.c.kind)
    )
    return [_notice(row) for row in rows]


def due_notices(
    connection: Connection, now: datetime, limit: int
) -> Sequence[tuple[Place, NoticeKind]]:
    """Notices whose next try is due, the longest waiting first."""
    n = claim_notices.c
    rows = connection.execute(
        select(n.site_id, n.claim_id, n.kind)
        .where(n.state == Sending.UNDER_WAY, n.next_time <= now)
        .order_by(n.next_time)
        .limit(limit)
    )
    return [((row.site_id, row.claim_id), NoticeKind(row.kind)) for row in rows]


def _values(notice: Notice) -> dict[str, object]:
    return {
        "state": notice.sending,
        "address_id": notice.address_id,
        "attempts": notice.attempts,
        "next_time": notice.next_time,
        "create_time": notice.create_time,
        "channel": notice.channel,
        "dispatch_time": notice.dispatch_time,
    }


def _notice(row: Row[*tuple[object, ...]]) -> Notice:
    return Notice(
        NoticeKind(row.kind),
        Sending(row.state),
        row.address_id,
        row.attempts,
        row.next_time,
        row.create_time,
        row.channel,
        row.dispatch_time,
    )
