# SPDX-License-Identifier: Apache-2.0
"""SQL of rotations and of epochs, in the key store. Functions take the caller's transaction.

A data key is never under an epoch that is gone: a foreign key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TEXT
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import cast

from services.chassis.database import Database
from services.chassis.ids import new_uuid
from services.chassis.refusal import Unavailable
from services.vault.keyring import WrappedKey
from services.vault.rotation_walk import Rotation, RotationKind, RotationUnderWay
from services.vault.tables_keys import data_keys, epoch_keys
from services.vault.tables_rotation import key_rotations

Owner = tuple[str, str]
"""(site, owner)"""

_RUNNER = 3
_LONG = text("SET LOCAL statement_timeout = '10min'")


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An epoch and its wrapped key."""

    epoch: str
    key: WrappedKey = field(repr=False)
    current: bool
    create_time: datetime


@contextmanager
def only_runner(database: Database) -> Iterator[None]:
    """Be the only one that rotates or retires keys. Raises RotationUnderWay where another is.

    The lock ends with its connection, so with a process that is killed.
    """
    try:
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = connection.execute(select(func.pg_try_advisory_lock(_RUNNER))).scalar_one()
    except SQLAlchemyError:
        raise Unavailable(retry_after=1) from None
    if not taken:
        connection.close()
        raise RotationUnderWay("keys are being rotated or retired: wait until that has ended")
    try:
        yield
    finally:
        try:
            connection.execute(select(func.pg_advisory_unlock(_RUNNER)))
        except SQLAlchemyError:
            # The pool would hand the lock on with the connection.
            connection.invalidate()
        connection.close()


def read_under_way(connection: Connection) -> Rotation | None:
    """The rotation that has not ended; None where there is none."""
    row = connection.execute(
        select(key_rotations).where(key_rotations.c.end_time.is_(None))
    ).one_or_none()
    return None if row is None else _rotation(row)


def read_last(connection: Connection) -> Rotation | None:
    """The rotation that is under way, else the one that began last; None before any."""
    row = connection.execute(
        select(key_rotations)
        .order_by(key_rotations.c.end_time.is_(None).desc(), key_rotations.c.begin_time.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _rotation(row)


def read_rotation(connection: Connection, rotation_id: str) -> Rotation | None:
    """A rotation by its id."""
    row = connection.execute(select(key_rotations).filter_by(rotation_id=rotation_id)).one_or_none()
    return None if row is None else _rotation(row)


def _rotation(row: Row[Any]) -> Rotation:
    return Rotation(
        row.rotation_id,
        RotationKind(row.kind),
        row.site_id,
        row.field,
        row.target,
        row.rewrapped,
        row.begin_time,
        row.end_time,
    )


def begin(
    connection: Connection,
    kind: RotationKind,
    site: str,
    indexed: str,
    now: datetime,
    rotation_id: str = "",
) -> Rotation:
    """A new rotation, without target yet. Raises UniqueViolation where another is under way."""
    rotation = Rotation(rotation_id or new_uuid(), kind, site, indexed, "", 0, now, None)
    connection.execute(
        insert(key_rotations).values(
            rotation_id=rotation.rotation_id,
            kind=str(kind),
            site_id=site,
            field=indexed,
            target="",
            rewrapped=0,
            begin_time=now,
        )
    )
    return rotation


def set_target(connection: Connection, rotation_id: str, target: str) -> None:
    """The new key is made."""
    connection.execute(
        update(key_rotations).filter_by(rotation_id=rotation_id).values(target=target)
    )


def add_rewrapped(connection: Connection, rotation_id: str, rows: int) -> None:
    """So many more rows are moved."""
    connection.execute(
        update(key_rotations)
        .filter_by(rotation_id=rotation_id)
        .values(rewrapped=key_rotations.c.rewrapped + rows)
    )


def end(connection: Connection, rotation_id: str, now: datetime) -> None:
    """The rotation has ended."""
    connection.execute(
        update(key_rotations).filter_by(rotation_id=rotation_id).values(end_time=now)
    )


def read_epochs(connection: Connection) -> list[EpochRow]:
    """The epochs, oldest first."""
    rows = connection.execute(select(epoch_keys).order_by(epoch_keys.c.create_time))
    return [
        EpochRow(
            row.epoch, WrappedKey(row.kek_id, bytes(row.wrapped)), row.current, row.create_time
        )
        for row in rows
    ]


def begin_epoch(connection: Connection, epoch: str, key: WrappedKey, now: datetime) -> None:
    """Make an epoch the current one: from now on every new data key is under it."""
    connection.execute(update(epoch_keys).filter_by(current=True).values(current=False))
    connection.execute(
        insert(epoch_keys).values(
            epoch=epoch, kek_id=key.wrapper_id, wrapped=key.wrapped, current=True, create_time=now
        )
    )


def lock_epoch(connection: Connection, epoch: str) -> EpochRow | None:
    """An epoch, locked against data keys that come under it; None where there is none."""
    row = connection.execute(
        select(epoch_keys).filter_by(epoch=epoch).with_for_update()
    ).one_or_none()
    if row is None:
        return None
    key = WrappedKey(row.kek_id, bytes(row.wrapped))
    return EpochRow(row.epoch, key, row.current, row.create_time)


def delete_epoch(connection: Connection, epoch: str) -> None:
    """Remove an epoch's key; the database refuses it while a data key is under it."""
    connection.execute(_LONG)
    connection.execute(delete(epoch_keys).filter_by(epoch=epoch))


def rows_under_epoch(connection: Connection, epoch: str) -> int:
    """How many data keys an epoch wraps."""
    connection.execute(_LONG)
    statement = select(func.count()).select_from(data_keys).filter_by(epoch=epoch)
    return int(connection.execute(statement).scalar_one())


def rows_by_epoch(connection: Connection) -> dict[str, int]:
    """How many data keys each epoch wraps."""
    connection.execute(_LONG)
    statement = select(data_keys.c.epoch, func.count()).group_by(data_keys.c.epoch)
    return {row[0]: row[1] for row in connection.execute(statement)}


def lock_data_keys(
    connection: Connection, epoch: str, after: Owner | None, limit: int
) -> list[tuple[Owner, bytes]]:
    """The next wrapped data keys under an epoch, locked, without those that others hold."""
    here: list[ColumnElement[bool]] = [data_keys.c.epoch == epoch]
    if after is not None:
        here.append(tuple_(data_keys.c.site_id, data_keys.c.owner_id) > tuple_(*after))
    rows = connection.execute(
        select(data_keys.c.site_id, data_keys.c.owner_id, data_keys.c.wrapped)
        .where(*here)
        .order_by(data_keys.c.site_id, data_keys.c.owner_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [((row.site_id, row.owner_id), bytes(row.wrapped)) for row in rows]


def move_data_keys(connection: Connection, epoch: str, rows: Sequence[tuple[Owner, bytes]]) -> None:
    """Put rewrapped data keys, whose rows are locked, under an epoch."""
    moved = (
        func.unnest(
            cast(literal([owner[0] for owner, _ in rows], ARRAY(TEXT)), ARRAY(TEXT)),
            cast(literal([owner[1] for owner, _ in rows], ARRAY(TEXT)), ARRAY(TEXT)),
            cast(literal([wrapped for _, wrapped in rows], ARRAY(BYTEA)), ARRAY(BYTEA)),
        )
        .table_valued(column("site_id", TEXT), column("owner_id", TEXT), column("wrapped", BYTEA))
        .render_derived("moved")
    )
    connection.execute(
        update(data_keys)
        .where(
            data_keys.c.site_id == moved.c.site_id,
            data_keys.c.owner_id == moved.c.owner_id,
        )
        .values(epoch=epoch, wrapped=moved.c.wrapped)
    )
