# SPDX-License-Identifier: Apache-2.0
"""The closed list of personal data (clauses 3.2, 3.3, 3.4; T-3.2-a, T-3.2.4-a: no "other")."""

from enum import StrEnum
from typing import Final


class Field(StrEnum):
    """A kind of personal data; the value is its name in the contract, in rows and in errors."""

    FAMILY_NAME = "familyName"
    GIVEN_NAME = "givenName"
    PATRONYMIC = "patronymic"
    PHONE = "phone"
    EMAIL = "email"
    ADDRESS = "address"
    PURCHASES = "purchases"
    IP = "technical.ip"
    COOKIE = "technical.cookie"
    USER_AGENT = "technical.userAgent"
    ACCESS_TIME = "technical.accessTime"
    PAGE = "technical.page"
    REFERRER = "technical.referrer"


# Clause 3.2.1.
NAME_FIELDS: Final = frozenset({Field.FAMILY_NAME, Field.GIVEN_NAME, Field.PATRONYMIC})

# Clauses 3.2.1 to 3.2.4: what the person states and a storefront may place or change.
STATED_FIELDS: Final = NAME_FIELDS | {Field.PHONE, Field.EMAIL, Field.ADDRESS}

# Clause 3.3: what a visit tells by itself; recorded with the visit, never placed as data.
TECHNICAL_FIELDS: Final = frozenset(
    {
        Field.IP,
        Field.COOKIE,
        Field.USER_AGENT,
        Field.ACCESS_TIME,
        Field.PAGE,
        Field.REFERRER,
    }
)
