# SPDX-License-Identifier: Apache-2.0
"""Where key-encryption keys (KEKs) live: what the vault asks of a local key file or of PKCS#11.

A KEK never leaves its provider. It wraps other keys with AES-256-GCM, `context` being the
associated data, so a wrapped key opens only under the name it was wrapped for.

Destroying a KEK is what makes old backups of the key store useless (guarantee I9), so an epoch
key that is to die must have a KEK that dies with it: begin each epoch with `create()`.
"""

from collections.abc import Sequence
from typing import Protocol


class KeyProviderError(Exception):
    """A key-encryption key could not be used. The text says what to do and holds no key."""


class KeyUnavailable(KeyProviderError):
    """There is no provider, or no key of that id in it."""


class KeyAbsent(KeyUnavailable):
    """The provider itself is not there: the key file or the token was taken away, or lost.

    Nothing speaks against its coming back, so a vault may start without it: blocks, withdrawals
    and destruction need no key.
    """


class KeyWrong(KeyProviderError):
    """The key is there, but what it should open was not wrapped by it, or not for this use."""


class KeyMoved(KeyWrong):
    """One owner's key does not open under its own name: its row was moved or altered."""


class KeyStillCurrent(KeyProviderError):
    """The current KEK is never destroyed: another must be created first."""


class KeyProvider(Protocol):
    """Exactly what PKCS#11 can do. Every method may raise KeyUnavailable; all are thread-safe."""

    def kek_id(self) -> str:
        """The id of the current KEK, the one that wraps new keys."""
        ...

    def kek_ids(self) -> Sequence[str]:
        """The ids of all KEKs held, oldest first."""
        ...

    def wrap(self, kek_id: str, plaintext_key: bytes, context: bytes) -> bytes:
        """Encrypt `plaintext_key` (32 bytes) under the named KEK, bound to `context`."""
        ...

    def unwrap(self, kek_id: str, wrapped: bytes, context: bytes) -> bytes:
        """The inverse of `wrap`. Raises KeyWrong where key, bytes or context do not fit."""
        ...

    def create(self) -> str:
        """Make a new random KEK, durable on return and current from then on; its id."""
        ...

    def destroy(self, kek_id: str) -> None:
        """Destroy a KEK for ever. Raises KeyStillCurrent for the current one.

        The caller proves first that nothing is wrapped by it any more.
        """
        ...
