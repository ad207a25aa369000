# SPDX-License-Identifier: Apache-2.0
"""The text of a key file: a small versioned JSON document with several KEKs, one of them current.

{"format": "qupia-key-file/1", "current": ID, "keks": [{"id": ID, "key": BASE64}, ...]}
"""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from services.vault.secret_key import KEY_BYTES, SecretKey

_FORMAT: Final = "qupia-key-file/1"
_ID: Final = re.compile(r"kek-[0-9a-f]{16}")


class KeyFileInvalid(ValueError):
    """The document is no key file. The text names the fault and never quotes the document."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """KEKs by id, oldest first, and the id of the current one ("" only in the empty set)."""

    current: str
    keks: Mapping[str, SecretKey] = field(repr=False)

    @classmethod
    def empty(cls) -> "KeySet":
        return cls("", MappingProxyType({}))

    def with_new(self, key: SecretKey) -> tuple[str, "KeySet"]:
        """The id given to `key`, and the set in which it is the current one."""
        kek_id = f"kek-{secrets.token_hex(8)}"
        return kek_id, KeySet(kek_id, MappingProxyType({**self.keks, kek_id: key}))

    def without(self, kek_id: str) -> "KeySet":
        """The set without the named key, which must not be the current one."""
        left = {known: key for known, key in self.keks.items() if known != kek_id}
        return KeySet(self.current, MappingProxyType(left))

    def render(self) -> bytes:
        """The document that `parse` reads."""
        keks = [
            {"id": kek_id, "key": base64.b64encode(key.reveal()).decode()}
            for kek_id, key in self.keks.items()
        ]
        document = {"format": _FORMAT, "current": self.current, "keks": keks}
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, document: bytes) -> "KeySet":
        """Read a key file's text. Raises KeyFileInvalid."""
        try:
            parsed = json.loads(document)
        except (ValueError, RecursionError):
            raise KeyFileInvalid("it is not JSON") from None
        if not isinstance(parsed, dict) or parsed.get("format") != _FORMAT:
            raise KeyFileInvalid(f"its format is not {_FORMAT}")
        if set(parsed) != {"format", "current", "keks"} or not isinstance(parsed["keks"], list):
            raise KeyFileInvalid("its members are not format, current and keks")
        keks: dict[str, SecretKey] = {}
        for entry in parsed["keks"]:
            kek_id, key = _entry(entry)
            if kek_id in keks:
                raise KeyFileInvalid("two keys have one id")
            keks[kek_id] = key
        current = parsed["current"]
        if not isinstance(current, str) or current not in keks:
            raise KeyFileInvalid("its current key is not among its keys")
        return cls(current, MappingProxyType(keks))


def _entry(entry: Any) -> tuple[str, SecretKey]:
    if not isinstance(entry, dict) or set(entry) != {"id", "key"}:
        raise KeyFileInvalid("an entry's members are not id and key")
    if not isinstance(entry["id"], str) or not _ID.fullmatch(entry["id"]):
        raise KeyFileInvalid("an id is not of the form kek-0123456789abcdef")
    try:
        key = base64.b64decode(entry["key"], validate=True)
    except (TypeError, ValueError):
        raise KeyFileInvalid("a key is not base64") from None
    if len(key) != KEY_BYTES:
        raise KeyFileInvalid("a key is not 32 bytes")
    return entry["id"], SecretKey(key)
