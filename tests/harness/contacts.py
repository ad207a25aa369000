# SPDX-License-Identifier: Apache-2.0
"""Phones and e-mail addresses that nobody else has: who shares a contact shares a block (6.2.3)."""

import secrets
from itertools import count

_OPERATORS = ("700", "701", "702", "705", "707", "708", "747", "771", "775", "776", "777", "778")
_ALL = len(_OPERATORS) * 10**7
# Prime to _ALL: none comes twice before all have come, and neighbours look nothing alike.
_STRIDE = 7_654_321
_turns = count(secrets.randbelow(_ALL))


def new_phone() -> str:
    """A mobile number of Kazakhstan in its normal form, such as +77011234567."""
    operator, number = divmod(next(_turns) * _STRIDE % _ALL, 10**7)
    return f"+7{_OPERATORS[operator]}{number:07d}"


def new_email() -> str:
    """An address in its normal form."""
    return f"nursultan-{secrets.token_hex(6)}@example.kz"
