# SPDX-License-Identifier: Apache-2.0
"""The hierarchy of keys: a KEK wraps epoch keys, an epoch key wraps one data key per owner.

Index keys and sealing keys are wrapped by a KEK too. The keyring makes, opens and rewraps keys;
it stores none. Rows are the key store's, whose SQL stands behind `EpochKeyStore`.

Unwrapped epoch keys stay in memory for at most a minute. Data keys are never kept: the caller
brings the wrapped row on every use, so an owner whose row is gone is gone in every process at
once (threat T19).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag

from services.vault import aead
from services.vault.key_cache import LONGEST_SECONDS, KeyCache
from services.vault.key_name import KeyName
from services.vault.provider import KeyMoved, KeyProvider, KeyUnavailable
from services.vault.secret_key import SecretKey

_EPOCHS_KEPT: Final = 16
_NAMED_KEPT: Final = 256


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key as the key store keeps it: the id of the KEK or epoch that wraps it, and the bytes."""

    wrapper_id: str
    wrapped: bytes = field(repr=False)


class EpochKeyStore(Protocol):
    """What the keyring reads by itself, when an epoch key is not in memory."""

    def epoch_key(self, epoch: str) -> WrappedKey | None:
        """The wrapped key of an epoch; None when the epoch is unknown or destroyed."""
        ...


class Keyring:
    """Makes and opens keys. Thread-safe.

    Every method may raise KeyUnavailable (KEK or epoch absent) or KeyWrong (it does not open what
    it should): reads and writes stop then, while blocks and withdrawals need no key.
    """

    def __init__(
        self,
        provider: KeyProvider,
        epoch_keys: EpochKeyStore,
        *,
        keep_seconds: float = LONGEST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._epoch_keys = epoch_keys
        self._opened_epochs = KeyCache(_EPOCHS_KEPT, keep_seconds, monotonic)
        self._opened_named = KeyCache(_NAMED_KEPT, keep_seconds, monotonic)

    def create(self, name: KeyName) -> WrappedKey:
        """A fresh random epoch or index key, wrapped by the current KEK."""
        return self.wrap(name, SecretKey.generate())

    def wrap(self, name: KeyName, key: SecretKey) -> WrappedKey:
        """Wrap a key under the current KEK, for use under `name` only."""
        kek_id = self._provider.kek_id()
        return WrappedKey(kek_id, self._provider.wrap(kek_id, key.reveal(), name.encode()))

    def open(self, name: KeyName, key: WrappedKey) -> SecretKey:
        """Unwrap a key that a KEK wraps."""
        return SecretKey(self._provider.unwrap(key.wrapper_id, key.wrapped, name.encode()))

    def open_kept(self, name: KeyName, key: WrappedKey) -> SecretKey:
        """The same from memory, for at most a minute: index keys are used with every write."""
        kept_as = name.encode().hex()
        opened = self._opened_named.get(kept_as)
        if opened is None:
            opened = self.open(name, key)
            self._opened_named.put(kept_as, opened)
        return opened

    def rewrap(self, name: KeyName, key: WrappedKey) -> WrappedKey:
        """The same key under the current KEK, for a rotation of KEKs."""
        return self.wrap(name, self.open(name, key))

    def create_data_key(self, site: str, owner: str, epoch: str) -> tuple[SecretKey, WrappedKey]:
        """A fresh random data key for an owner, and how it is stored, wrapped by the epoch."""
        key = SecretKey.generate()
        return key, self._wrap_data_key(key, site, owner, epoch)

    def open_data_key(self, site: str, owner: str, key: WrappedKey) -> SecretKey:
        """Unwrap an owner's data key from its row, `key.wrapper_id` being the epoch."""
        epoch = key.wrapper_id
        name = KeyName.data(site, owner, epoch)
        try:
            return SecretKey(
                aead.decrypt(self._epoch(epoch), key.wrapped, name.encode()),
            )
        except InvalidTag:
            raise KeyMoved(
                f"a data key does not open under epoch {epoch}: its row was moved or altered, or "
                "is of another key store; find it with `qupia fsck` and restore the key store"
            ) from None

    def rewrap_data_key(self, site: str, owner: str, key: WrappedKey, epoch: str) -> WrappedKey:
        """The same data key under another epoch, for a rotation of epochs."""
        return self._wrap_data_key(self.open_data_key(site, owner, key), site, owner, epoch)

    def check(self, epoch: str) -> None:
        """Prove that the provider opens this epoch's key: at start, and for health."""
        self.forget_epoch(epoch)
        self._epoch(epoch)

    def forget_epoch(self, epoch: str) -> None:
        """Drop an epoch's key from memory at once, when the epoch is retired."""
        self._opened_epochs.forget(epoch)

    def _wrap_data_key(self, key: SecretKey, site: str, owner: str, epoch: str) -> WrappedKey:
        name = KeyName.data(site, owner, epoch)
        wrapping = self._epoch(epoch)
        return WrappedKey(epoch, aead.encrypt(wrapping, key.reveal(), name.encode()))

    def _epoch(self, epoch: str) -> SecretKey:
        opened = self._opened_epochs.get(epoch)
        if opened is not None:
            return opened
        key = self._open_epoch(epoch, self._stored_epoch(epoch))
        self._opened_epochs.put(epoch, key)
        return key

    def _open_epoch(self, epoch: str, stored: WrappedKey) -> SecretKey:
        try:
            return self.open(KeyName.epoch(epoch), stored)
        except KeyUnavailable:
            # Rewrapped since it was read, and the old KEK destroyed?
            now_stored = self._stored_epoch(epoch)
            if now_stored.wrapper_id == stored.wrapper_id:
                raise
            return self.open(KeyName.epoch(epoch), now_stored)

    def _stored_epoch(self, epoch: str) -> WrappedKey:
        stored = self._epoch_keys.epoch_key(epoch)
        if stored is None:
            raise KeyUnavailable(
                f"the key store holds no epoch key {epoch}: it was retired, or the key store is "
                "older than the data; restore the key store that belongs to this database"
            )
        return stored
