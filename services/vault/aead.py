# SPDX-License-Identifier: Apache-2.0
"""AES-256-GCM as the vault uses it everywhere: a random 96-bit nonce before the ciphertext."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag

from services.vault.secret_key import SecretKey

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


def encrypt(key: SecretKey, plaintext: bytes, associated: bytes) -> bytes:
    """Nonce, ciphertext and tag: `len(plaintext) + 28` bytes."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.cipher.encrypt(nonce, plaintext, associated)


def decrypt(key: SecretKey, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext of what `encrypt` made with the same key and associated data.

    Raises InvalidTag for anything else, bytes too short to be a ciphertext included.
    """
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise InvalidTag
    return key.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
