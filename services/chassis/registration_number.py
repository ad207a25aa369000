# SPDX-License-Identifier: Apache-2.0
"""The Kazakh registration numbers: BIN of organizations, IIN of people (law.md 3.10).

Both have twelve digits, the last a check digit over the first eleven.
"""

from calendar import monthrange

_LENGTH = 12
_FIRST_WEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
_SECOND_WEIGHTS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)
_MODULUS = 11
_NO_CHECK_DIGIT = 10

# Seventh digit of an IIN (odd: male, even: female) to the century of birth.
_CENTURIES = {"1": 1800, "2": 1800, "3": 1900, "4": 1900, "5": 2000, "6": 2000}
# Fifth digit of a BIN: resident, non-resident, individual entrepreneur.
_BIN_HOLDERS = frozenset("456")
# Sixth digit of a BIN: head office, branch, representation, farm.
_BIN_UNITS = frozenset("0123")


def bin_is_valid(text: str) -> bool:
    """Say whether `text` is a well-formed BIN: twelve ASCII digits, month, kinds, check digit."""
    return (
        _has_check_digit(text)
        and 1 <= int(text[2:4]) <= 12
        and text[4] in _BIN_HOLDERS
        and text[5] in _BIN_UNITS
    )


def iin_is_valid(text: str) -> bool:
    """Say whether `text` is a well-formed IIN: twelve ASCII digits, birth date, check digit."""
    return _has_check_digit(text) and _has_birth_date(text)


def _has_check_digit(text: str) -> bool:
    # isdigit() alone is also true of other scripts' digits and of superscripts.
    if len(text) != _LENGTH or not (text.isascii() and text.isdigit()):
        return False
    digits = [int(character) for character in text]
    check = _weighted(digits, _FIRST_WEIGHTS)
    if check == _NO_CHECK_DIGIT:
        check = _weighted(digits, _SECOND_WEIGHTS)
    # A second 10 equals no digit: such a number is never issued.
    return digits[-1] == check


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    products = (weight * digit for weight, digit in zip(weights, digits[:-1], strict=True))
    return sum(products) % _MODULUS


def _has_birth_date(text: str) -> bool:
    century = _CENTURIES.get(text[6])
    month = int(text[2:4])
    if century is None or not 1 <= month <= 12:
        return False
    return 1 <= int(text[4:6]) <= monthrange(century + int(text[:2]), month)[1]
