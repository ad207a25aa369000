# SPDX-License-Identifier: Apache-2.0
"""The vault's half of sealing: its key pair, and opening what others sealed to it.

Pairs are named by their public key (`services.chassis.sealing.sealing_key_id`); the wrapped
private half opens under that name only, so a swapped public key is noticed. Keep an old pair for
as long as an outbox elsewhere may hold documents sealed to it.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services.chassis.sealing import (
    DocumentPlace,
    SealedFormatUnknown,
    sealed_parts,
    sealing_key_id,
    sealing_suite,
)
from services.vault.envelope import CiphertextMisplaced
from services.vault.key_name import KeyName
from services.vault.keyring import Keyring, WrappedKey
from services.vault.secret_key import SecretKey


@dataclass(frozen=True, slots=True)
class SealingPair:
    """A sealing pair as the key store keeps it; `public_key` is for every service to have."""

    public_key: bytes
    private_key: WrappedKey = field(repr=False)

    @property
    def key_id(self) -> str:
        return sealing_key_id(self.public_key)


def create_sealing_pair(keyring: Keyring) -> SealingPair:
    """A fresh X25519 pair, its private half wrapped by the current KEK."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    name = KeyName.sealing(sealing_key_id(public))
    return SealingPair(public, keyring.wrap(name, SecretKey(private.private_bytes_raw())))


def rewrap_sealing_pair(keyring: Keyring, pair: SealingPair) -> SealingPair:
    """The same pair under the current KEK."""
    name = KeyName.sealing(pair.key_id)
    return SealingPair(pair.public_key, keyring.rewrap(name, pair.private_key))


def open_private_key(keyring: Keyring, pair: SealingPair) -> SecretKey:
    """The private half, in the clear. Raises KeyUnavailable, KeyWrong."""
    return keyring.open(KeyName.sealing(pair.key_id), pair.private_key)


def open_sealed(private_key: SecretKey, place: DocumentPlace, sealed: bytes) -> bytes:
    """The plaintext of a document sealed to this pair at `place`. Raises CiphertextMisplaced.

    `sealed_parts(sealed).key_id` tells beforehand which pair to use.
    """
    try:
        parts = sealed_parts(sealed)
    except SealedFormatUnknown as fault:
        raise CiphertextMisplaced(str(fault)) from None
    private = X25519PrivateKey.from_private_bytes(private_key.reveal())
    try:
        return sealing_suite().decrypt(parts.body, private, info=place.encode())
    except InvalidTag:
        raise CiphertextMisplaced("the sealed document does not open in this place") from None
