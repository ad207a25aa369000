# SPDX-License-Identifier: Apache-2.0
"""Rotating an index key: every digest made anew, from the data, under the subject's lock.

The old key is not needed: where it is lost, rotating is what mends the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.chassis.database import Connection, Database
from services.vault import store, store_data, store_index, store_keks, store_rotation
from services.vault.blind_index import blind_index
from services.vault.envelope import CiphertextMisplaced, Place, decrypt
from services.vault.fields import Field
from services.vault.plaintext import SCHEMA, parse
from services.vault.provider import KeyMoved
from services.vault.rotation_walk import ALL, Batch, Pace, Rotation, Walk
from services.vault.secret_key import SecretKey
from services.vault.store_data import DatumRow
from services.vault.store_index import Entry, IndexVersion, NewEntry
from services.vault.store_keys import KeyStore, OwnerKey

# Each subject of a batch is locked as long as the batch takes: a block must not wait for it long.
_SUBJECTS: Final = 100


class IndexRotation:
    """Moves a field's digests to a new key version."""

    def __init__(self, database: Database, keys: KeyStore, pace: Pace) -> None:
        self._database = database
        self._keys = keys
        self._pace = pace

    def begin(self, rotation: Rotation) -> str:
        """Make the new version, which writes from now on; returns it. Raises KeyUnavailable.

        Without a site, one of every site and field, all in one transaction; returns ALL.
        """
        places = self._places(rotation)
        fresh = {place: max(self._versions(*place), default=0) + 1 for place in places}
        target = str(fresh[places[0]]) if rotation.site else ALL
        with self._keys.database.transaction() as connection:
            for (site, indexed), version in fresh.items():
                self._keys.create_index_key(connection, site, indexed, version)
            store_rotation.set_target(connection, rotation.rotation_id, target)
        return target

    def walks(self, rotation: Rotation) -> list[Walk[Entry]]:
        """All digests of the older versions, those whose key is lost included."""
        return [walk for place in self._places(rotation) for walk in self._walks(*place)]

    def _walks(self, site: str, indexed: Field) -> list[Walk[Entry]]:
        held = self._keys.index_keys(site, indexed)
        new = max(held)
        with self._database.transaction() as connection:
            older = sorted(store_index.versions_standing(connection, site, indexed) - {new})
        if not older:
            return []
        key = self._keys.open_index_key(site, indexed, new, held[new])
        return [self._walk(IndexVersion(site, indexed, version), new, key) for version in older]

    def _places(self, rotation: Rotation) -> list[tuple[str, Field]]:
        """The sites and fields to rotate; with a target, those whose new key is made."""
        if rotation.site:
            return [(rotation.site, Field(rotation.field))]
        with self._keys.database.transaction() as connection:
            held = {(site, name) for site, name, _ in store_keks.read_index_keys(connection)}
        if not rotation.target:
            with self._database.transaction() as connection:
                # Those whose keys are all lost are mended too.
                held |= {(site, name) for site, name, _ in store_index.rows_by_version(connection)}
        return [(site, Field(name)) for site, name in sorted(held)]

    def _versions(self, site: str, indexed: Field) -> set[int]:
        with self._database.transaction() as connection:
            standing = store_index.versions_standing(connection, site, indexed)
        return standing | set(self._keys.index_keys(site, indexed))

    def _walk(self, old: IndexVersion, new: int, key: SecretKey) -> Walk[Entry]:
        return Walk(lambda after: self._step(old, new, key, after), lambda: self._left(old))

    def _left(self, old: IndexVersion) -> int:
        with self._database.transaction() as connection:
            return store_index.rows_of_version(connection, old)

    def _step(
        self, old: IndexVersion, new: int, key: SecretKey, after: Entry | None
    ) -> Batch[Entry]:
        with self._database.transaction() as connection:
            entries = store_index.next_entries(
                connection, old, after, self._pace.at_most(_SUBJECTS)
            )
            if not entries:
                return Batch(None)
            subjects = [(old.site, subject) for _, subject in entries]
            locked = [s for _, s in sorted(store.try_lock_exclusive(connection, subjects))]
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
