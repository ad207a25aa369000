# SPDX-License-Identifier: Apache-2.0
"""Sealing a document to the vault's public key.

A service that took a person's statement while the vault was away keeps it durably in its outbox
without being able to read it afterwards: only the vault holds the private half
(`services.vault.unsealing`). Sealing hides and binds to a place; it does not say who sealed, that
is what the mutual TLS of the later push is for.

HPKE (RFC 9180, base mode): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The place goes
into `info`, as RFC 9180 section 8.1 advises for single-shot use; the library's public call takes
no associated data of its own.

A sealed document is: format (1 byte, 1) | key id (16 bytes) | encapsulated key and ciphertext.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

PUBLIC_KEY_BYTES: Final = 32

_FORMAT: Final = 1
_LABEL: Final = b"qupia sealed document v1"
_KEY_ID_BYTES: Final = 16
# The encapsulated X25519 key and the tag: what an empty document takes.
_HPKE_OVERHEAD_BYTES: Final = 32 + 16


class SealedFormatUnknown(ValueError):
    """The bytes are not a sealed document of a format this release reads."""


@dataclass(frozen=True, slots=True)
class DocumentPlace:
    """The only place where a sealed document opens.

    `reference` is the claim or order the document belongs to, `kind` what it is (STATEMENT, ...).
    None of them may hold personal data: a place is written to logs and rows in the clear.
    """

    site: str
    reference: str
    document_id: str
    kind: str

    def encode(self) -> bytes:
        """The place as bytes; two different places never encode alike."""
        return length_prefixed(
            _LABEL,
            self.site.encode(),
            self.reference.encode(),
            self.document_id.encode(),
            self.kind.encode(),
        )


@dataclass(frozen=True, slots=True)
class SealedParts:
    """A sealed document taken apart: `key_id` names the pair that opens it (32 hex digits)."""

    key_id: str
    body: bytes


def length_prefixed(*parts: bytes) -> bytes:
    """Each part after its length in four bytes, big-endian: injective over lists of parts."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def sealing_suite() -> Suite:
    """The one cipher suite documents are sealed with."""
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def sealing_key_id(public_key: bytes) -> str:
    """The name of a sealing pair: 32 hex digits of its public key's SHA-256."""
    return hashlib.sha256(public_key).digest()[:_KEY_ID_BYTES].hex()


def seal(public_key: bytes, place: DocumentPlace, plaintext: bytes) -> bytes:
    """Seal `plaintext` for the holder of `public_key` (raw X25519, 32 bytes), at `place` only.

    The length of the plaintext is not hidden. Raises ValueError for a key that is none.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise ValueError("a sealing public key is 32 bytes of X25519")
    recipient = X25519PublicKey.from_public_bytes(public_key)
    body = sealing_suite().encrypt(plaintext, recipient, info=place.encode())
    return bytes([_FORMAT]) + bytes.fromhex(sealing_key_id(public_key)) + body


def sealed_parts(sealed: bytes) -> SealedParts:
    """Take a sealed document apart without opening it. Raises SealedFormatUnknown."""
    header = 1 + _KEY_ID_BYTES
    if len(sealed) < header + _HPKE_OVERHEAD_BYTES or sealed[0] != _FORMAT:
        raise SealedFormatUnknown("not a sealed document of format 1")
    return SealedParts(key_id=sealed[1:header].hex(), body=sealed[header:])
