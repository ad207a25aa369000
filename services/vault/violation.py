# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the form of given data (T-6.1.1-a): which field, which rule, never the value.

Only form is judged. Whether data are true is not (clause 2.4).
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

# What may be a mistyped field name; anything else may be a value in the wrong place.
_NAME: Final = re.compile(r"[a-z][A-Za-z]{0,31}")


class Rule(StrEnum):
    """The closed list of rules; its names are promised to callers."""

    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    NOT_SETTABLE = "NOT_SETTABLE"
    WRONG_TYPE = "WRONG_TYPE"
    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG"
    FORBIDDEN_CHARACTER = "FORBIDDEN_CHARACTER"
    LETTER_MISSING = "LETTER_MISSING"
    NAME_MISSING = "NAME_MISSING"
    PHONE_MALFORMED = "PHONE_MALFORMED"
    PHONE_NOT_IN_USE = "PHONE_NOT_IN_USE"
    PHONE_COUNTRY_UNCLEAR = "PHONE_COUNTRY_UNCLEAR"
    EMAIL_MALFORMED = "EMAIL_MALFORMED"
    COUNTRY_UNKNOWN = "COUNTRY_UNKNOWN"
    POSTAL_CODE_MALFORMED = "POSTAL_CODE_MALFORMED"
    IP_MALFORMED = "IP_MALFORMED"
    TIME_OUT_OF_RANGE = "TIME_OUT_OF_RANGE"
    AMOUNT_MALFORMED = "AMOUNT_MALFORMED"
    CURRENCY_MALFORMED = "CURRENCY_MALFORMED"
    FORM_MISMATCH = "FORM_MISMATCH"


class FieldInvalid(ValueError):
    """One rule broken by one field. `field` is a path such as "address.postalCode".

    `description` is fixed English text per rule; nothing here holds the value.
    """

    def __init__(self, field: str, rule: Rule, description: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule
        self.description = description


class DataInvalid(ValueError):
    """All the rules broken by one input, in the order of the input."""

    def __init__(self, violations: Iterable[FieldInvalid]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(str(violation) for violation in self.violations))


def unknown_field(name: object, within: str = "") -> FieldInvalid:
    """A field that is not on the closed list (T-3.2-a), named only if it looks like a name."""
    shown = name if isinstance(name, str) and _NAME.fullmatch(name) else "(unnamed)"
    path = f"{within}.{shown}" if within else shown
    return FieldInvalid(path, Rule.UNKNOWN_FIELD, "is not a field of this list")
