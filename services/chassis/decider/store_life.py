# SPDX-License-Identifier: Apache-2.0
"""SQL of the decider's life: its incarnation and the vault's, in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.decider.tables import decider_state
from services.chassis.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Life:
    """The decider's incarnation and the vault's; incarnation 0: never met a vault."""

    incarnation: int
    vault_incarnation: str
    database_identity: str
    resynced: bool


_LIFE = Prepared(
    select(
        decider_state.c.incarnation,
        decider_state.c.vault_incarnation,
        decider_state.c.database_identity,
        decider_state.c.resynced,
    )
)


def read_life(connection: Connection) -> Life:
    """The decider's life; a blank one before the first contact."""
    row = _LIFE.first(connection)
    return Life(0, "", "", False) if row is None else Life(*row)


def write_life(connection: Connection, life: Life) -> None:
    """Replace the decider's life."""
    members = {
        "incarnation": life.incarnation,
        "vault_incarnation": life.vault_incarnation,
        "database_identity": life.database_identity,
        "resynced": life.resynced,
    }
    statement = upsert(decider_state).values(only=True, **members)
    connection.execute(statement.on_conflict_do_update(index_elements=["only"], set_=members))


def database_identity(connection: Connection) -> str:
    """What changes when the database is restored: cluster, timeline, database and tables.

    `pg_restore --clean` puts new tables into the same database.
    """
    return str(
        connection.execute(
            text(
                "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || "
                "(SELECT timeline_id FROM pg_control_checkpoint()) || '/' || oid || '/' || "
                "to_regclass('evidence_entries')::oid "
                "FROM pg_database WHERE datname = current_database()"
            )
        ).scalar_one()
    )
