# SPDX-License-Identifier: Apache-2.0
"""Rewrapping: the same keys under another epoch or another KEK, a batch in each transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.vault import store_keks, store_rotation
from services.vault.key_name import KeyName
from services.vault.keyring import WrappedKey
from services.vault.provider import KeyMoved, KeyProvider, KeyWrong
from services.vault.rotation_walk import Batch, Pace, Walk
from services.vault.store_keys import KeyStore, Owner

# A batch holds its rows locked: half a second at most, also where a token answers slowly.
_DATA_KEYS: Final = 500
_SMALL_KEYS: Final = 50

_NAMES: Final[Mapping[str, Callable[[tuple[str, ...]], KeyName]]] = {
    "epoch_keys": lambda name: KeyName.epoch(name[0]),
    "index_keys": lambda name: KeyName.index(name[0], name[1], int(name[2])),
    "sealing_keys": lambda name: KeyName.sealing(name[0]),
}


class EpochRewrap:
    """Puts data keys under another epoch."""

    def __init__(self, keys: KeyStore, pace: Pace) -> None:
        self._keys = keys
        self._pace = pace

    def walk(self, old: str, new: str) -> Walk[Owner]:
        """All data keys of one epoch. Raises KeyUnavailable, KeyWrong where it does not open."""
        self._keys.keyring.check(old)
        self._keys.keyring.check(new)
        return Walk(lambda after: self._step(old, new, after), lambda: self._left(old))

    def _step(self, old: str, new: str, after: Owner | None) -> Batch[Owner]:
        moved: list[tuple[Owner, bytes]] = []
        with self._keys.database.transaction() as connection:
            rows = store_rotation.lock_data_keys(
                connection, old, after, self._pace.at_most(_DATA_KEYS)
            )
            if not rows:
                return Batch(None)
            for (site, owner), wrapped in rows:
                try:
                    key = self._keys.keyring.rewrap_data_key(
                        site, owner, WrappedKey(old, wrapped), new
                    )
                except KeyMoved:
                    continue
                moved.append(((site, owner), key.wrapped))
            if moved:
                store_rotation.move_data_keys(connection, new, moved)
        return Batch(rows[-1][0], len(moved), len(rows) - len(moved))

    def _left(self, old: str) -> int:
        with self._keys.database.transaction() as connection:
            return store_rotation.rows_under_epoch(connection, old)


class KekRewrap:
    """Puts keys that a KEK wraps under another KEK."""

    def __init__(self, keys: KeyStore, provider: KeyProvider) -> None:
        self._keys = keys
        self._provider = provider

    def walk(self, kind: str, new: str) -> Walk[tuple[str, ...]]:
        """All keys of a kind (a table's name) that another KEK than `new` wraps."""
        return Walk(lambda after: self._step(kind, new, after), lambda: self._left(kind, new))

    def _step(self, kind: str, new: str, after: tuple[str, ...] | None) -> Batch[tuple[str, ...]]:
        held = set(self._provider.kek_ids())
        failed = 0
        with self._keys.database.transaction() as connection:
            rows = store_keks.lock_keys_of_others(connection, kind, new, after, _SMALL_KEYS)
            for name, key in rows:
                if key.wrapper_id not in held:
                    failed += 1
                    continue
                try:
                    rewrapped = self._rewrapped(_NAMES[kind](name), key, new)
                except KeyWrong:
                    failed += 1
                    continue
                store_keks.move_key(connection, kind, name, rewrapped)
        return Batch(rows[-1][0] if rows else None, len(rows) - failed, failed)

    def _rewrapped(self, name: KeyName, key: WrappedKey, new: str) -> WrappedKey:
        opened = self._keys.keyring.open(name, key)
        return WrappedKey(new, self._provider.wrap(new, opened.reveal(), name.encode()))

    def _left(self, kind: str, new: str) -> int:
        with self._keys.database.transaction() as connection:
            counts = store_keks.rows_by_kek(connection)
        return sum(rows.get(kind, 0) for kek_id, rows in counts.items() if kek_id != new)
