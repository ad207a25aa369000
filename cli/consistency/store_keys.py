# SPDX-License-Identifier: Apache-2.0
"""The key store's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from cli.consistency.store_snapshot import Snapshot, plain
from services.vault.key_name import KeyName
from services.vault.keyring import WrappedKey
from services.vault.tables_keys import data_keys, epoch_keys, index_keys, sealing_keys


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """An owner's data key, and the owner's name in the vault's evidence."""

    site: str
    owner: str
    pseudonym: str
    wrapped: WrappedKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key that a KEK wraps: its table, its key columns and the name it opens under."""

    table: str
    key: tuple[tuple[str, str], ...]
    name: KeyName
    wrapped: WrappedKey = field(repr=False)
    public_key: bytes = b""
    current: bool = False


class EpochRows:
    """Reads epoch keys for a keyring, and makes none."""

    def __init__(self, keystore: Snapshot) -> None:
        self._keystore = keystore

    def epoch_key(self, epoch: str) -> WrappedKey | None:
        """The wrapped key of an epoch; None where there is none."""
        row = self._keystore.one(
            select(epoch_keys.c.kek_id, epoch_keys.c.wrapped).filter_by(epoch=epoch)
        )
        return WrappedKey(row.kek_id, row.wrapped) if row else None


def owners(keystore: Snapshot) -> Iterator[OwnerRow]:
    """Data keys by (site, owner)."""
    site, owner = plain(data_keys.c.site_id), plain(data_keys.c.owner_id)
    for row in keystore.stream(select(data_keys).order_by(site, owner)):
        wrapped = WrappedKey(row.epoch, row.wrapped)
        yield OwnerRow(row.site_id, row.owner_id, row.pseudonym, wrapped)


def epochs(keystore: Snapshot) -> Iterator[NamedKey]:
    """Epoch keys."""
    for row in keystore.stream(select(epoch_keys).order_by(epoch_keys.c.epoch)):
        yield NamedKey(
            "epoch_keys",
            (("epoch", row.epoch),),
            KeyName.epoch(row.epoch),
            WrappedKey(row.kek_id, row.wrapped),
            current=row.current,
        )


def indexes(keystore: Snapshot) -> Iterator[NamedKey]:
    """Index keys by (site, field, version)."""
    order = plain(index_keys.c.site_id), plain(index_keys.c.field), index_keys.c.key_version
    for row in keystore.stream(select(index_keys).order_by(*order)):
        yield NamedKey(
            "index_keys",
            (("site_id", row.site_id), ("field", row.field), ("key_version", str(row.key_version))),
            KeyName.index(row.site_id, row.field, row.key_version),
            WrappedKey(row.kek_id, row.wrapped),
        )


def sealing(keystore: Snapshot) -> Iterator[NamedKey]:
    """Sealing pairs."""
    for row in keystore.stream(select(sealing_keys).order_by(sealing_keys.c.key_id)):
        yield NamedKey(
            "sealing_keys",
            (("key_id", row.key_id),),
            KeyName.sealing(row.key_id),
            WrappedKey(row.kek_id, row.wrapped),
            row.public_key,
        )
