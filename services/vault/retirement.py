# SPDX-License-Identifier: Apache-2.0
"""Retiring keys: never while a row is under them, and then for ever.

An epoch goes with its KEK: from then on neither a backup of the key store nor an old pair of
backups opens anybody who was destroyed before (guarantee I9).

A KEK is first marked retired, in one transaction with the proof that it wraps nothing, and then
destroyed in the provider. Killed in between, the next retirement or `finish` destroys it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.vault import store_index, store_keks, store_rotation, store_tombstones
from services.vault.fields import Field
from services.vault.provider import KeyProvider, KeyStillCurrent
from services.vault.rotation import SMALL_KEYS
from services.vault.rotation_rewrap import KekRewrap
from services.vault.rotation_walk import KeyStillUsed, KeyUnknown, Pace
from services.vault.store_index import IndexVersion
from services.vault.store_keys import KeyStore

Record = Callable[[Sequence[str]], None]
"""Hears of a retirement that will be, and of the KEKs that go with it."""


class Retirement:
    """Retires epochs, KEKs and index keys; never beside a rotation (raises RotationUnderWay).

    Every method raises KeyUnknown for what is not there, KeyStillCurrent for the current key, and
    KeyStillUsed with the number of rows that are under it. Otherwise it calls `record` before
    anything is lost; where that raises, nothing is.
    """

    def __init__(
        self, database: Database, keys: KeyStore, provider: KeyProvider, clock: Clock
    ) -> None:
        self._database = database
        self._keys = keys
        self._provider = provider
        self._clock = clock
        self._kek_rewrap = KekRewrap(keys, provider)

    def retire_epoch(self, epoch: str, record: Record = lambda _: None) -> list[str]:
        """Remove an epoch's key and destroy its KEK; returns the KEKs destroyed.

        With it goes every earlier KEK that wraps nothing any more: a backup from before a rotation
        of the KEK has the epoch's key under it. A KEK that wraps another old epoch too goes with
        the last of them.
        """
        with store_rotation.only_runner(self._keys.database):
            self._clear(epoch)
            with self._keys.database.transaction() as connection:
                found = store_rotation.lock_epoch(connection, epoch)
                if found is None:
                    raise KeyUnknown(f"there is no epoch {epoch}")
                if found.current:
                    raise KeyStillCurrent(f"epoch {epoch} is the current one: rotate it first")
                rows = store_rotation.rows_under_epoch(connection, epoch)
                if rows:
                    raise KeyStillUsed(f"epoch {epoch}", rows)
                store_rotation.delete_epoch(connection, epoch)
                store_tombstones.set_last_kek(connection, epoch, found.key.wrapper_id)
                going = self._going(connection, found.key.wrapper_id)
                for kek_id in going:
                    self._retire_kek(connection, kek_id)
                record(going)
            self._keys.keyring.forget_epoch(epoch)
            return self._destroy_retired()

    def retire_kek(self, kek_id: str, record: Record = lambda _: None) -> list[str]:
        """Destroy a KEK; returns the KEKs destroyed."""
        with store_rotation.only_runner(self._keys.database):
            with self._keys.database.transaction() as connection:
                known = store_keks.read_keks(connection)
                _, destroyed = known.get(kek_id, (None, None))
                if destroyed or (kek_id not in known and kek_id not in self._provider.kek_ids()):
                    raise KeyUnknown(f"there is no key-encryption key {kek_id}")
                self._retire_kek(connection, kek_id)
                record([kek_id])
            return self._destroy_retired()

    def retire_index_key(self, site: str, indexed: Field, key_version: int) -> None:
        """Remove a version of an index key."""
        version = IndexVersion(site, indexed, key_version)
        with store_rotation.only_runner(self._keys.database):
            held = self._keys.index_keys(site, indexed)
            if key_version not in held:
                raise KeyUnknown(f"there is no index key version {key_version} of that field")
            if key_version == max(held):
                raise KeyStillCurrent(
                    f"index key version {key_version} is the current one: rotate it first"
                )
            with self._database.transaction() as connection:
                store_index.close_version(connection, version)
                rows = store_index.rows_of_version(connection, version)
                if rows:
                    raise KeyStillUsed(f"index key version {key_version}", rows)
                self._keys.delete_index_key(site, indexed, key_version)

    def retire_index_keys(self, record: Record = lambda _: None) -> int:
        """Remove all old versions of all index keys, or none where rows are left under one.

        Returns their number. Cut short, the next call goes on.
        """
        with store_rotation.only_runner(self._keys.database):
            old = self._old_index_keys()
            if not old:
                raise KeyUnknown("there is no old index key")
            with self._database.transaction() as connection:
                for version in old:
                    store_index.close_version(connection, version)
                rows = sum(store_index.rows_of_version(connection, version) for version in old)
                if rows:
                    raise KeyStillUsed("an old index key", rows)
                record([])
                for version in old:
                    self._keys.delete_index_key(version.site, version.field, version.version)
        return len(old)

    def _old_index_keys(self) -> list[IndexVersion]:
        with self._keys.database.transaction() as connection:
            held = sorted(store_keks.read_index_keys(connection))
        newest = {(site, name): version for site, name, version in held}
        return [
            IndexVersion(site, Field(name), version)
            for site, name, version in held
            if version != newest[(site, name)]
        ]

    def finish(self) -> list[str]:
        """Destroy the KEKs whose retirement was cut short; returns them."""
        with store_rotation.only_runner(self._keys.database):
            return self._destroy_retired()

    def is_unfinished(self) -> bool:
        """Whether a retirement was cut short."""
        with self._keys.database.transaction() as connection:
            known = store_keks.read_keks(connection)
        return any(retired and not destroyed for retired, destroyed in known.values())

    def _clear(self, epoch: str) -> None:
        """Move away what came under the epoch's KEK since the rotation began: an index key, say."""
        with self._keys.database.transaction() as connection:
            epochs = {each.epoch: each for each in store_rotation.read_epochs(connection)}
        old = epochs.get(epoch)
        new = next((each for each in epochs.values() if each.current), None)
        if old is None or new is None or old.key.wrapper_id == new.key.wrapper_id:
            return
        for kind in SMALL_KEYS:
            self._kek_rewrap.walk(kind, new.key.wrapper_id).run(Pace(), lambda *_: None)

    def _going(self, connection: Connection, kek_id: str) -> list[str]:
        """The KEKs that go with an epoch that is removed, oldest first; `kek_id` wrapped it."""
        wrapping = store_keks.rows_by_kek(connection)
        idle = [
            each
            for each, (retired, _) in store_keks.read_keks(connection).items()
            if each not in wrapping and not retired and each != self._provider.kek_id()
        ]
        others = store_rotation.read_epochs(connection)
        shared = any(each.key.wrapper_id == kek_id and not each.current for each in others)
        return idle if shared or kek_id in idle else [*idle, kek_id]

    def _retire_kek(self, connection: Connection, kek_id: str) -> None:
        if kek_id == self._provider.kek_id():
            raise KeyStillCurrent(
                f"key-encryption key {kek_id} is the current one: rotate it first"
            )
        store_keks.retire_kek(connection, kek_id, self._clock.now())
        # Its row is locked now: whoever wraps under it has ended, and is counted.
        rows = sum(store_keks.rows_by_kek(connection).get(kek_id, {}).values())
        if rows:
            raise KeyStillUsed(f"key-encryption key {kek_id}", rows)

    def _destroy_retired(self) -> list[str]:
        with self._keys.database.transaction() as connection:
            known = store_keks.read_keks(connection)
        due = [kek for kek, (retired, destroyed) in known.items() if retired and not destroyed]
        held = set(self._provider.kek_ids()) if due else set()
        for kek_id in due:
            if kek_id in held:
                self._provider.destroy(kek_id)
            with self._keys.database.transaction() as connection:
                store_keks.set_destroyed(connection, kek_id, self._clock.now())
        return due
