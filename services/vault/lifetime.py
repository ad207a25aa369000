# SPDX-License-Identifier: Apache-2.0
"""The life of the vault: a restored database is another life (`docs/protocol.md`).

The vault's database and the key store both count its starts and, some seconds
apart, that it lives. Where the counts differ, one of the two was set back, were
it by a storage snapshot that keeps every name and number; where the cluster,
timeline, database or tables changed, the vault's was restored. In a new life
nobody is served before every decider has pushed its slices again.
"""

from __future__ import annotations

from services.chassis.database import Database
from services.chassis.decider.store_life import database_identity
from services.chassis.ids import new_uuid
from services.vault import store_life
from services.vault.store_keys import KeyStore
from services.vault.store_life import VaultLife


def begin_life(database: Database, keys: KeyStore) -> str:
    """Go on with the present life or begin a new one; returns the vault's incarnation.

    To be repeated while the vault runs: a backup is as old as the count in it.
    """
    with database.transaction() as connection:
        store_life.lock_life(connection)
        known = keys.read_life()
        identity = database_identity(connection)
        life = store_life.read_life(connection)
        same = (
            life is not None
            and life.database_identity == identity
            and (life.vault_incarnation, life.starts) == known
        )
        incarnation = life.vault_incarnation if life is not None and same else new_uuid()
        starts = (life.starts if life else 0) + 1
        store_life.write_life(connection, VaultLife(incarnation, identity, starts))
        if not same:
            store_life.await_all(connection)
        # Under the lock, or a process that starts at the same time takes this start for a restore.
        keys.write_life(incarnation, starts)
    return incarnation
