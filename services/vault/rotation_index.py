# SPDX-License-Identifier: Apache-2.0
"""Rotating an index key: every digest made anew, from the data, under the subject's lock.

The old key is not needed: where it is lost, rotating is what mends the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.chassis.database import Connection, Database
from services.vault import store, store_data, store_index, store_rotation
from services.vault.blind_index import blind_index
from services.vault.envelope import CiphertextMisplaced, Place, decrypt
from services.vault.fields import Field
from services.vault.plaintext import SCHEMA, parse
from services.vault.provider import KeyMoved
from services.vault.rotation_walk import Batch, Rotation, Walk
from services.vault.secret_key import SecretKey
from services.vault.store_data import DatumRow
from services.vault.store_index import Entry, IndexVersion, NewEntry
from services.vault.store_keys import KeyStore, OwnerKey

# Each subject of a batch is locked as long as the batch takes: a block must not wait for it long.
_SUBJECTS: Final = 100


class IndexRotation:
    """Moves a field's digests to a new key version."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    def begin(self, rotation: Rotation) -> str:
        """Make the new version, which writes from now on; returns it. Raises KeyUnavailable."""
        site, indexed = rotation.site, Field(rotation.field)
        with self._database.transaction() as connection:
            standing = store_index.versions_standing(connection, site, indexed)
        version = max(standing | set(self._keys.index_keys(site, indexed)), default=0) + 1
        with self._keys.database.transaction() as connection:
            self._keys.create_index_key(connection, site, indexed, version)
            store_rotation.set_target(connection, rotation.rotation_id, str(version))
        return str(version)

    def walks(self, rotation: Rotation) -> list[Walk[Entry]]:
        """All digests of the older versions, those whose key is lost included."""
        site, indexed, new = rotation.site, Field(rotation.field), int(rotation.target)
        key = self._keys.open_index_key(
            site, indexed, new, self._keys.index_keys(site, indexed)[new]
        )
        with self._database.transaction() as connection:
            standing = store_index.versions_standing(connection, site, indexed)
        older = sorted(standing - {new})
        return [self._walk(IndexVersion(site, indexed, version), new, key) for version in older]

    def _walk(self, old: IndexVersion, new: int, key: SecretKey) -> Walk[Entry]:
        return Walk(lambda after: self._step(old, new, key, after), lambda: self._left(old))

    def _left(self, old: IndexVersion) -> int:
        with self._database.transaction() as connection:
            return store_index.rows_of_version(connection, old)

    def _step(
        self, old: IndexVersion, new: int, key: SecretKey, after: Entry | None
    ) -> Batch[Entry]:
        with self._database.transaction() as connection:
            entries = store_index.next_entries(connection, old, after, _SUBJECTS)
            if not entries:
                return Batch(None)
            subjects = [subject for _, subject in entries]
            locked = store.try_lock_exclusive(connection, old.site, subjects)
            fresh = self._fresh(connection, old, new, key, locked)
            moved = store_index.move_entries(connection, old, new, fresh)
        return Batch(entries[-1], moved, len(locked) - len(fresh))

    def _fresh(
        self,
        connection: Connection,
        old: IndexVersion,
        new: int,
        key: SecretKey,
        subjects: Sequence[str],
    ) -> list[NewEntry]:
        """The new digests of subjects; those whose datum does not open are left out."""
        owners = [(old.site, subject) for subject in subjects]
        keys = self._keys.owner_keys(owners)
        data = store_data.current_data(connection, {owner: [old.field] for owner in owners})
        fresh: list[NewEntry] = []
        for owner in owners:
            rows = data.get(owner)
            if not rows:
                fresh.append(NewEntry(owner[1], None))
                continue
            try:
                value = self._value(owner, keys.get(owner), rows[0])
            except (CiphertextMisplaced, KeyMoved):
                continue
            fresh.append(NewEntry(owner[1], blind_index(key, old.site, old.field, new, value)))
        return fresh

    def _value(self, owner: tuple[str, str], key: OwnerKey | None, row: DatumRow) -> str:
        if key is None:
            raise CiphertextMisplaced("the datum's owner has no key")
        site, subject = owner
        place = Place(SCHEMA, site, subject, str(row.field), row.version)
        opened = self._keys.open(site, subject, key)
        value = parse(row.field, decrypt(opened, place, row.ciphertext))
        if not isinstance(value, str):
            raise TypeError("only texts are indexed")
        return value
