# SPDX-License-Identifier: Apache-2.0
"""The place of residence or delivery (clause 3.2.4), part by part."""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from services.vault.concealed import Concealed
from services.vault.country import COUNTRIES
from services.vault.text import normalize_text
from services.vault.violation import DataInvalid, FieldInvalid, Rule, unknown_field


class AddressPart(StrEnum):
    """The closed list of an address's parts; the value is its name in the contract."""

    COUNTRY = "country"
    REGION = "region"
    DISTRICT = "district"
    LOCALITY = "locality"
    STREET = "street"
    HOUSE = "house"
    BLOCK = "block"
    FLAT = "flat"
    POSTAL_CODE = "postalCode"


MAX_LENGTHS: Final[Mapping[AddressPart, int]] = MappingProxyType(
    {
        AddressPart.COUNTRY: 2,
        AddressPart.REGION: 120,
        AddressPart.DISTRICT: 120,
        AddressPart.LOCALITY: 120,
        AddressPart.STREET: 200,
        AddressPart.HOUSE: 40,
        AddressPart.BLOCK: 40,
        AddressPart.FLAT: 40,
        AddressPart.POSTAL_CODE: 16,
    }
)

_PARTS: Final[Mapping[object, AddressPart]] = {part.value: part for part in AddressPart}
_HOME: Final = "KZ"
# The six-digit index, and the seven-character one that replaces it; both are in use.
_HOME_POSTAL_CODE: Final = re.compile(r"[0-9]{6}|[A-Z][0-9]{2}[A-Z0-9]{4}")
_POSTAL_CODE: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 -]{0,14}[A-Z0-9])?")

# The parts that are given, never empty.
Address: TypeAlias = Concealed[AddressPart, str]

# One merge patch: parts to set, or to clear where None.
AddressChange: TypeAlias = Concealed[AddressPart, str | None]


def normalize_address(field: str, value: object) -> AddressChange:
    """The parts named in `value`, each normalized; None clears.

    Raises DataInvalid with all violations: UNKNOWN_FIELD, WRONG_TYPE, EMPTY, TOO_LONG,
    FORBIDDEN_CHARACTER, COUNTRY_UNKNOWN, POSTAL_CODE_MALFORMED. A postal code is held against its
    country in `merge_address`, since one of the two may come alone.
    """
    if not isinstance(value, Mapping):
        raise DataInvalid([FieldInvalid(field, Rule.WRONG_TYPE, "must be an object of parts")])
    parts: dict[AddressPart, str | None] = {}
    violations: list[FieldInvalid] = []
    for name, given in value.items():
        try:
            part = _part(field, name)
            parts[part] = None if given is None else _normalize_part(field, part, given)
        except FieldInvalid as violation:
            violations.append(violation)
    if violations:
        raise DataInvalid(violations)
    return Concealed(parts)


def merge_address(field: str, current: Address | None, change: AddressChange) -> Address | None:
    """`current` with `change` applied; None when no part is left.

    An address that names no country is read as one of Kazakhstan, and is not given one.
    Raises FieldInvalid POSTAL_CODE_MALFORMED.
    """
    merged = {**(current or {}), **change}
    parts = {part: text for part in AddressPart if (text := merged.get(part)) is not None}
    code = parts.get(AddressPart.POSTAL_CODE)
    at_home = parts.get(AddressPart.COUNTRY, _HOME) == _HOME
    if code is not None and at_home and not _HOME_POSTAL_CODE.fullmatch(code):
        raise FieldInvalid(
            f"{field}.{AddressPart.POSTAL_CODE}",
            Rule.POSTAL_CODE_MALFORMED,
            "must be a postal code of Kazakhstan, such as 050000 or A05E2X3; "
            "another country's needs the country",
        )
    return Concealed(parts) if parts else None


def _part(field: str, name: object) -> AddressPart:
    part = _PARTS.get(name)
    if part is None:
        raise unknown_field(name, within=field)
    return part


def _normalize_part(field: str, part: AddressPart, value: object) -> str:
    path = f"{field}.{part}"
    text = normalize_text(path, value, MAX_LENGTHS[part])
    if part is AddressPart.COUNTRY:
        return _normalize_country(path, text)
    if part is AddressPart.POSTAL_CODE:
        return _normalize_postal_code(path, text)
    return text


def _normalize_country(path: str, text: str) -> str:
    code = text.upper()
    if code not in COUNTRIES:
        raise FieldInvalid(
            path, Rule.COUNTRY_UNKNOWN, "must be a country code of two letters, such as KZ"
        )
    return code


def _normalize_postal_code(path: str, text: str) -> str:
    code = text.upper()
    if not _POSTAL_CODE.fullmatch(code):
        raise FieldInvalid(
            path, Rule.POSTAL_CODE_MALFORMED, "must be Latin letters, digits, spaces and hyphens"
        )
    return code
