# SPDX-License-Identifier: Apache-2.0
"""One field of a person's data, encrypted so that it opens in its own place only.

A ciphertext is: format (1 byte, 1) | nonce (12) | AES-256-GCM ciphertext and tag. The format and
the place are associated data (threat T13). There is no padding: a ciphertext is 29 bytes longer
than its plaintext, so whoever reads the database sees how long a value is.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag

from services.chassis.sealing import length_prefixed
from services.vault import aead
from services.vault.secret_key import SecretKey

# Random 96-bit nonces are safe for 2^31 encryptions under one key (threat T15). Nobody counts
# them: a data key encrypts each field once per version, and a record has fewer than 2^7 fields.
LAST_VERSION: Final = 2**24 - 1

_FORMAT: Final = bytes([1])
_LABEL: Final = b"qupia field"


class CiphertextMisplaced(Exception):
    """A ciphertext does not open in this place: moved, rolled back, altered, or of another key.

    To be reported as DATA_LOSS with an alarm; nothing of it is served.
    """


class VersionLimitReached(Exception):
    """The owner's data key has encrypted all the versions it safely may."""


@dataclass(frozen=True, slots=True)
class Place:
    """The only place where a ciphertext opens.

    `schema` is the release of the plaintext's form, `owner` a subject id (or the claim id of a
    sealed document without a subject), `field` the field's name, for a row of its own with the
    row's id ("document/ID"), `version` the record's version, from 1.
    """

    schema: int
    site: str
    owner: str
    field: str
    version: int

    def encode(self) -> bytes:
        """The associated data; no two places encode alike."""
        return _of_owner(self.schema, self.site, self.owner) + _of_field(self.field, self.version)


@lru_cache(maxsize=256)
def _of_owner(schema: int, site: str, owner: str) -> bytes:
    # An owner's fields are opened one after the other.
    return length_prefixed(_LABEL, _FORMAT, str(schema).encode(), site.encode(), owner.encode())


@lru_cache(maxsize=256)
def _of_field(field: str, version: int) -> bytes:
    # Most data are of a few fields in their first versions.
    return length_prefixed(field.encode(), str(version).encode())


def encrypt(data_key: SecretKey, place: Place, plaintext: bytes) -> bytes:
    """Encrypt `plaintext` for `place`. Raises VersionLimitReached, ValueError for version < 1."""
    if place.version < 1:
        raise ValueError("versions count from 1")
    if place.version > LAST_VERSION:
        raise VersionLimitReached("the data key is used up: give its owner a new one")
    return _FORMAT + aead.encrypt(data_key, plaintext, place.encode())


def decrypt(data_key: SecretKey, place: Place, ciphertext: bytes) -> bytes:
    """The plaintext of what was encrypted for `place`. Raises CiphertextMisplaced."""
    if ciphertext[:1] != _FORMAT:
        raise CiphertextMisplaced("the ciphertext is of no known format")
    try:
        return aead.decrypt(data_key, ciphertext[1:], place.encode())
    except InvalidTag:
        raise CiphertextMisplaced("the ciphertext does not open in this place") from None
