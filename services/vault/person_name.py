# SPDX-License-Identifier: Apache-2.0
"""Surname, given name, patronymic (clause 3.2.1): any script, no transliteration."""

from typing import Final

from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule

MAX_LENGTH: Final = 200


def normalize_name(field: str, value: object) -> str:
    """One part of a name, with at least one letter.

    Raises FieldInvalid: what `normalize_text` raises, LETTER_MISSING.
    """
    name = normalize_text(field, value, MAX_LENGTH)
    if not any(character.isalpha() for character in name):
        raise FieldInvalid(field, Rule.LETTER_MISSING, "must hold a letter")
    return name
