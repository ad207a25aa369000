# SPDX-License-Identifier: Apache-2.0
"""Detached signatures on what a service hands out: anybody verifies them, with any tool.

Ed25519 (RFC 8032) over the exact bytes. The key is derived from the service's secret, so that all
its instances sign alike and no further file has to be kept; another secret is another key, and
whoever verifies old signatures keeps the old public key.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM: Final = "Ed25519"
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_SEED_BYTES: Final = 32
_LABEL: Final = b"qupia signing key v1"


@dataclass(frozen=True, slots=True)
class Signature:
    """`key_id` is the first 32 hexadecimal digits of the public key's SHA-256."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one service. `public_key` is raw, 32 bytes."""

    public_key: bytes
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of_secret(cls, secret: bytes) -> "Signer":
        """The signer of the service that has this secret (`ProcessSettings.secret`)."""
        seed = HKDF(SHA256(), _SEED_BYTES, salt=None, info=_LABEL).derive(secret)
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(private.public_key().public_bytes_raw(), private)

    @property
    def key_id(self) -> str:
        """The name of the key in signatures."""
        return key_id_of(self.public_key)

    def sign(self, content: bytes) -> Signature:
        """Sign these bytes."""
        return Signature(self.key_id, self._private.sign(content))


@lru_cache(maxsize=64)
def key_id_of(public_key: bytes) -> str:
    """The name of a public key."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def public_pem(public_key: bytes) -> str:
    """A raw public key as PEM (SubjectPublicKeyInfo), as tools read it."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def is_signed(public_key: bytes, content: bytes, signature: Signature) -> bool:
    """Whether the holder of this key signed exactly these bytes."""
    if len(public_key) != PUBLIC_KEY_BYTES or key_id_of(public_key) != signature.key_id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature.value, content)
    except InvalidSignature:
        return False
    return True
