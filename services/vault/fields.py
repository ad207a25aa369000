# SPDX-License-Identifier: Apache-2.0
"""The closed list of personal data (clauses 3.2, 3.3, 3.4; T-3.2-a, T-3.2.4-a: no "other").

`Field` is the list of every site. What an operator adds to it by configuration is a
`ConfiguredField`: the gate, the writer and the rows treat it like any other that is stated.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from services.chassis.configured_fields import CONFIGURED


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


class ConfiguredField(str):
    """A datum that a site has added: its name in rows, reads, evidence and errors.

    Such as configured.loyaltyCard: no later built-in field can take the name of one.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """A configured field that a purpose may read, and the policy version that first lists it."""

    field: ConfiguredField
    policy_version: int


AnyField: TypeAlias = Field | ConfiguredField
_BY_NAME: Final = {str(field): field for field in Field}
_PREFIX: Final = f"{CONFIGURED}."


def configured(name: str) -> ConfiguredField:
    """The field of a name of the configuration."""
    return ConfiguredField(_PREFIX + name)


def field_of(name: str) -> AnyField:
    """The field of a row or a request. Raises ValueError for a name that can be none.

    Whether a site has configured it is not asked: what was stored outlives the configuration.
    """
    if name.startswith(_PREFIX):
        return ConfiguredField(name)
    # A look into a dictionary costs a fifth of Field(name), which says what is wrong with a name.
    return _BY_NAME.get(name) or Field(name)


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

# Recorded by itself and kept in tables of its own; all other fields are what the person states.
RECORDED_FIELDS: Final = TECHNICAL_FIELDS | {Field.PURCHASES}
