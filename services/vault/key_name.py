# SPDX-License-Identifier: Apache-2.0
"""The names of wrapped keys: what a key is for, bound into its wrapping.

A wrapped key opens only under the name it was wrapped for, so a row of the key store that is moved
to another owner, site, field or epoch opens nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.chassis.sealing import length_prefixed

_LABEL: Final = b"qupia key"
_SCHEMA: Final = b"1"


class KeyKind(StrEnum):
    """What a key does."""

    EPOCH = "epoch"
    DATA = "data"
    INDEX = "index"
    SEALING = "sealing"


@dataclass(frozen=True, slots=True)
class KeyName:
    """One key's name; build it with the method of its kind. Holds no personal data."""

    kind: KeyKind
    site: str
    holder: str
    version: str

    @classmethod
    def epoch(cls, epoch: str) -> "KeyName":
        """An epoch key, wrapped by a KEK."""
        return cls(KeyKind.EPOCH, "", "", epoch)

    @classmethod
    def data(cls, site: str, owner: str, epoch: str) -> "KeyName":
        """A data key, wrapped by an epoch key. The owner is a subject id or a claim id."""
        return cls(KeyKind.DATA, site, owner, epoch)

    @classmethod
    def index(cls, site: str, field: str, version: int) -> "KeyName":
        """A blind-index key, wrapped by a KEK."""
        return cls(KeyKind.INDEX, site, field, str(version))

    @classmethod
    def sealing(cls, key_id: str) -> "KeyName":
        """The private half of a sealing pair, wrapped by a KEK."""
        return cls(KeyKind.SEALING, "", "", key_id)

    def encode(self) -> bytes:
        """The name as bytes, the context of the wrapping; no two names encode alike."""
        return _OF_KIND[self.kind] + length_prefixed(
            self.site.encode(), self.holder.encode(), self.version.encode()
        )


_OF_KIND: Final = {kind: length_prefixed(_LABEL, _SCHEMA, kind.encode()) for kind in KeyKind}
