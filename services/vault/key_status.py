# SPDX-License-Identifier: Apache-2.0
"""What keys there are and how many rows are under each: a key with rows may not be retired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.chassis.database import Database
from services.vault import store_index, store_keks, store_rotation
from services.vault.provider import KeyProvider, KeyProviderError
from services.vault.rotation_walk import Rotation
from services.vault.store_keys import KeyStore


@dataclass(frozen=True, slots=True)
class KekStatus:
    """A KEK: whether the provider holds it (None: the provider cannot be asked), what it wraps."""

    kek_id: str
    held: bool | None
    current: bool
    epoch_keys: int
    index_keys: int
    sealing_keys: int
    retire_time: datetime | None
    destroy_time: datetime | None

    @property
    def rows(self) -> int:
        """All the keys it wraps."""
        return self.epoch_keys + self.index_keys + self.sealing_keys


@dataclass(frozen=True, slots=True)
class EpochStatus:
    """An epoch and how many data keys it wraps."""

    epoch: str
    kek_id: str
    current: bool
    rows: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class IndexKeyStatus:
    """An index-key version and how many digests it made; without `kek_id` its key is gone."""

    site: str
    field: str
    key_version: int
    kek_id: str
    current: bool
    rows: int


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """All keys. `fault` says why the provider cannot be asked, and what to do; empty where it can.

    `under_way` is the rotation that is running or was stopped.
    """

    keks: tuple[KekStatus, ...]
    epochs: tuple[EpochStatus, ...]
    index_keys: tuple[IndexKeyStatus, ...]
    under_way: Rotation | None
    fault: str


def read_key_status(database: Database, keys: KeyStore, provider: KeyProvider) -> KeyStatus:
    """Count everything; needs no KEK. Raises Unavailable."""
    with database.transaction() as connection:
        digests = store_index.rows_by_version(connection)
    with keys.database.transaction() as connection:
        wrapped = store_keks.rows_by_kek(connection)
        times = store_keks.read_keks(connection)
        epochs = store_rotation.read_epochs(connection)
        data_keys = store_rotation.rows_by_epoch(connection)
        index_keys = store_keks.read_index_keys(connection)
        under_way = store_rotation.read_under_way(connection)
    held, fault = _held(provider)
    ids = list(dict.fromkeys([*times, *wrapped, *(held or ())]))
    return KeyStatus(
        tuple(
            _kek(each, held, wrapped.get(each, {}), times.get(each, (None, None))) for each in ids
        ),
        tuple(
            EpochStatus(
                each.epoch,
                each.key.wrapper_id,
                each.current,
                data_keys.get(each.epoch, 0),
                each.create_time,
            )
            for each in epochs
        ),
        _index_keys(index_keys, digests),
        under_way,
        fault,
    )


def _held(provider: KeyProvider) -> tuple[list[str] | None, str]:
    """The KEKs of the provider, the current one last."""
    try:
        current = provider.kek_id()
        return [*(each for each in provider.kek_ids() if each != current), current], ""
    except KeyProviderError as error:
        return None, str(error)


def _kek(
    kek_id: str,
    held: list[str] | None,
    wrapped: dict[str, int],
    times: tuple[datetime | None, datetime | None],
) -> KekStatus:
    return KekStatus(
        kek_id,
        None if held is None else kek_id in held,
        bool(held) and held is not None and kek_id == held[-1],
        wrapped.get("epoch_keys", 0),
        wrapped.get("index_keys", 0),
        wrapped.get("sealing_keys", 0),
        *times,
    )


def _index_keys(
    keys: dict[tuple[str, str, int], str], digests: dict[tuple[str, str, int], int]
) -> tuple[IndexKeyStatus, ...]:
    newest = {(site, field): version for site, field, version in sorted(keys)}
    return tuple(
        IndexKeyStatus(
            site,
            field,
            version,
            keys.get((site, field, version), ""),
            newest.get((site, field)) == version,
            digests.get((site, field, version), 0),
        )
        for site, field, version in sorted(keys.keys() | digests.keys())
    )
