# SPDX-License-Identifier: Apache-2.0
"""SQL of the vault's life and its deciders' incarnations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Text, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.prepared import Prepared
from services.vault.tables import deciders, vault_life

DECIDERS = ("consent", "claims", "disclosure")
_LOCK = 2


@dataclass(frozen=True, slots=True)
class VaultLife:
    """The vault's incarnation, the database it was written in, how often it was started."""

    vault_incarnation: str
    database_identity: str
    starts: int


@dataclass(frozen=True, slots=True)
class DeciderLife:
    """The highest incarnation given to a decider, and whether it has pushed all it knows."""

    highest_incarnation: int
    complete: bool


_LIVES = Prepared(
    select(vault_life.c.vault_incarnation, deciders.c.highest_incarnation).join_from(
        vault_life, deciders, deciders.c.decider == bindparam("decider", type_=Text)
    )
)


class Lives(NamedTuple):
    """What a push is judged against: the vault's life, and the highest given to its decider."""

    vault_incarnation: str
    highest_incarnation: int


def read_lives(connection: Connection, decider: str) -> Lives:
    """The present life of the vault and of one of its deciders; both are written at start."""
    return Lives(*_LIVES.first(connection, decider=decider))


def lock_life(connection: Connection) -> None:
    """Only one vault process at a time changes the vault's life."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def read_life(connection: Connection) -> VaultLife | None:
    """The vault's life; None before the first start."""
    row = connection.execute(select(vault_life)).one_or_none()
    if row is None:
        return None
    return VaultLife(row.vault_incarnation, row.database_identity, row.starts)


def write_life(connection: Connection, life: VaultLife) -> None:
    """Write the vault's life down."""
    members = {
        "vault_incarnation": life.vault_incarnation,
        "database_identity": life.database_identity,
        "starts": life.starts,
    }
    if not connection.execute(update(vault_life).values(**members)).rowcount:
        connection.execute(insert(vault_life).values(only=True, **members))


def await_all(connection: Connection) -> None:
    """A new life: no decider has pushed to it yet."""
    for decider in DECIDERS:
        connection.execute(
            upsert(deciders)
            .values(decider=decider, highest_incarnation=0, complete=False)
            .on_conflict_do_update(index_elements=["decider"], set_={"complete": False})
        )


def read_decider(connection: Connection, decider: str, *, lock: bool = False) -> DeciderLife:
    """A decider's life, locked until the transaction ends where `lock`."""
    statement = select(deciders).filter_by(decider=decider)
    row = connection.execute(statement.with_for_update() if lock else statement).one()
    return DeciderLife(row.highest_incarnation, row.complete)


def write_decider(connection: Connection, decider: str, life: DeciderLife) -> None:
    """Replace a decider's life."""
    connection.execute(
        update(deciders)
        .filter_by(decider=decider)
        .values(highest_incarnation=life.highest_incarnation, complete=life.complete)
    )
