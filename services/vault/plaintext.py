# SPDX-License-Identifier: Apache-2.0
"""The canonical bytes of a field, before encryption: one value, one form.

Text is UTF-8. An address is JSON with sorted keys, no spaces, letters as they are. The form is
release `SCHEMA`; a change of form is another release, named in the ciphertext's place.
"""

import json
from collections.abc import Mapping
from typing import Final

from services.vault.address import Address, AddressPart
from services.vault.concealed import Concealed
from services.vault.fields import AnyField, Field

SCHEMA: Final = 1


def serialize(field: AnyField, value: str | Address) -> bytes:
    """The bytes of a normalized value. Raises TypeError for a value that is none of the field."""
    if field is Field.ADDRESS:
        if isinstance(value, str):
            raise TypeError("an address is not text")
        return json.dumps(
            dict(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode()
    if not isinstance(value, str):
        raise TypeError(f"{field} is text")
    return value.encode()


def parse(field: AnyField, plaintext: bytes) -> str | Address:
    """The value whose bytes `serialize` made.

    Raises ValueError, with no word of the plaintext, for bytes it did not make.
    """
    try:
        text = plaintext.decode()
        if field is not Field.ADDRESS:
            return text
        return _address(json.loads(text))
    except (ValueError, RecursionError):
        raise ValueError(f"the plaintext of {field} is not in the form of release 1") from None


def _address(parsed: object) -> Address:
    if not isinstance(parsed, Mapping) or not all(isinstance(v, str) for v in parsed.values()):
        raise ValueError
    return Concealed({AddressPart(name): text for name, text in parsed.items()})
