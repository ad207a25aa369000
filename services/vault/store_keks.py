# SPDX-License-Identifier: Apache-2.0
"""SQL of KEKs and of what they wrap, in the key store. Functions take the caller's transaction.

Nothing is ever wrapped by a KEK that is retired: who wraps adopts the KEK in the transaction that
stores what it wrapped, and retiring waits for that transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import TEXT, ColumnElement, Table, cast, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.keyring import WrappedKey
from services.vault.provider import KeyUnavailable
from services.vault.tables_keys import epoch_keys, index_keys, sealing_keys
from services.vault.tables_rotation import keks

WRAPPED_BY_KEK: Mapping[str, Table] = {
    table.name: table for table in (epoch_keys, index_keys, sealing_keys)
}
KINDS = tuple(WRAPPED_BY_KEK)
"""The kinds of keys that a KEK wraps."""


def adopt(connection: Connection, kek_id: str, now: datetime) -> None:
    """Say that a KEK wraps what this transaction stores. Raises KeyUnavailable once it is retired.

    The row stays locked, shared, to the transaction's end.
    """
    connection.execute(
        upsert(keks).values(kek_id=kek_id, first_use_time=now).on_conflict_do_nothing()
    )
    retired = connection.execute(
        select(keks.c.retire_time).filter_by(kek_id=kek_id).with_for_update(read=True)
    ).scalar_one()
    if retired is not None:
        raise KeyUnavailable(f"key-encryption key {kek_id} was retired meanwhile: try again")


def retire_kek(connection: Connection, kek_id: str, now: datetime) -> None:
    """Let a KEK wrap nothing more; waits for transactions that have adopted it."""
    connection.execute(
        upsert(keks)
        .values(kek_id=kek_id, first_use_time=now, retire_time=now)
        .on_conflict_do_update(
            index_elements=["kek_id"],
            set_={"retire_time": func.coalesce(keks.c.retire_time, now)},
        )
    )


def read_keks(connection: Connection) -> dict[str, tuple[datetime | None, datetime | None]]:
    """(retire time, destroy time) of every KEK known to the key store, oldest first."""
    rows = connection.execute(select(keks).order_by(keks.c.first_use_time, keks.c.kek_id))
    return {row.kek_id: (row.retire_time, row.destroy_time) for row in rows}


def set_destroyed(connection: Connection, kek_id: str, now: datetime) -> None:
    """The provider has destroyed a KEK."""
    connection.execute(update(keks).filter_by(kek_id=kek_id).values(destroy_time=now))


def rows_by_kek(connection: Connection) -> dict[str, dict[str, int]]:
    """How many keys each KEK wraps: {kek: {"epoch_keys" | "index_keys" | "sealing_keys": n}}."""
    found: dict[str, dict[str, int]] = {}
    for table in WRAPPED_BY_KEK.values():
        statement = select(table.c.kek_id, func.count()).group_by(table.c.kek_id)
        for kek_id, count in connection.execute(statement):
            found.setdefault(kek_id, {})[table.name] = count
    return found


def lock_keys_of_others(
    connection: Connection,
    kind: str,
    kek_id: str,
    after: tuple[str, ...] | None,
    limit: int,
) -> list[tuple[tuple[str, ...], WrappedKey]]:
    """The next keys of a kind that another KEK wraps, by their names as text, locked."""
    table = WRAPPED_BY_KEK[kind]
    names = [cast(each, TEXT).collate("C") for each in table.primary_key]
    here: list[ColumnElement[bool]] = [table.c.kek_id != kek_id]
    if after is not None:
        here.append(tuple_(*names) > tuple_(*after))
    rows = connection.execute(
        select(*names, table.c.kek_id, table.c.wrapped)
        .where(*here)
        .order_by(*names)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(tuple(row[:-2]), WrappedKey(row.kek_id, bytes(row.wrapped))) for row in rows]


def move_key(connection: Connection, kind: str, name: tuple[str, ...], key: WrappedKey) -> None:
    """Put a rewrapped key, whose row is locked, in its place."""
    table = WRAPPED_BY_KEK[kind]
    here = [cast(each, TEXT) == part for each, part in zip(table.primary_key, name, strict=True)]
    connection.execute(
        update(table).where(*here).values(kek_id=key.wrapper_id, wrapped=key.wrapped)
    )


def read_index_keys(connection: Connection) -> dict[tuple[str, str, int], str]:
    """The KEK of every index key: {(site, field, version): kek}."""
    rows = connection.execute(select(index_keys))
    return {(row.site_id, row.field, row.key_version): row.kek_id for row in rows}
