# SPDX-License-Identifier: Apache-2.0
"""Text as it is kept: NFC, trimmed, single spaces, nothing invisible."""

import unicodedata
from typing import Final

from services.vault.violation import FieldInvalid, Rule

# Control, format (direction overrides, zero width), surrogate, private use, line and paragraph
# separators: what a form field never holds on purpose and a label or log cannot show.
_FORBIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# A code point composes from at most three; longer input is refused before it costs anything.
_COMPOSED_FROM: Final = 4


def normalize_text(field: str, value: object, max_length: int) -> str:
    """`value` in NFC, trimmed, inner spaces collapsed, 1 to `max_length` code points.

    NFC leaves the nine Kazakh letters byte for byte as they are (T-3.2.1-a).
    Raises FieldInvalid: WRONG_TYPE, TOO_LONG, FORBIDDEN_CHARACTER, EMPTY.
    """
    if not isinstance(value, str):
        raise FieldInvalid(field, Rule.WRONG_TYPE, "must be text")
    too_long = FieldInvalid(field, Rule.TOO_LONG, f"must have at most {max_length} characters")
    if len(value) > max_length * _COMPOSED_FROM:
        raise too_long
    # What is printable throughout holds none of them: nearly everything a person writes.
    if not value.isprintable() and any(
        unicodedata.category(character) in _FORBIDDEN for character in value
    ):
        raise FieldInvalid(
            field, Rule.FORBIDDEN_CHARACTER, "must not hold control or invisible characters"
        )
    text = " ".join(unicodedata.normalize("NFC", value).split())
    if not text:
        raise FieldInvalid(field, Rule.EMPTY, "must not be empty; null clears it")
    if len(text) > max_length:
        raise too_long
    return text
