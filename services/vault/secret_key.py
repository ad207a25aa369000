# SPDX-License-Identifier: Apache-2.0
"""A key in the clear, in memory, that no print, log or pickle can carry away."""

from typing import Final, NoReturn

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32


class SecretKey:
    """256 bits of key. Only `reveal` gives the bytes out; its `repr` shows none."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a key is 32 bytes")
        self._key = key
        self._cipher: AESGCM | None = None

    @classmethod
    def generate(cls) -> "SecretKey":
        """A fresh random key from the operating system's generator."""
        return cls(AESGCM.generate_key(bit_length=8 * KEY_BYTES))

    @property
    def cipher(self) -> AESGCM:
        """AES-256-GCM under this key, made ready once for all the fields it opens."""
        if self._cipher is None:
            self._cipher = AESGCM(self._key)
        return self._cipher

    def reveal(self) -> bytes:
        """The 32 bytes of the key, for a cipher and nothing else."""
        return self._key

    def __repr__(self) -> str:
        return "SecretKey(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key in the clear is never serialized")
