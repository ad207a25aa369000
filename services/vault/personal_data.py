# SPDX-License-Identifier: Apache-2.0
"""What a person states (clauses 3.2.1 to 3.2.4), as a merge patch against the closed list."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from services.chassis.configured_fields import CONFIGURED
from services.vault.address import Address, AddressChange, merge_address, normalize_address
from services.vault.concealed import Concealed
from services.vault.email_address import normalize_email
from services.vault.fields import (
    NAME_FIELDS,
    RECORDED_FIELDS,
    STATED_FIELDS,
    AnyField,
    ConfiguredField,
    Field,
    configured,
)
from services.vault.person_name import normalize_name
from services.vault.phone import normalize_phone
from services.vault.site_fields import Listed, SiteFields
from services.vault.violation import DataInvalid, FieldInvalid, Rule, unknown_field

# What is kept of a person: text, or an address.
PersonalData: TypeAlias = Concealed[AnyField, str | Address]

# One merge patch: fields to set, or to clear where None.
DataChange: TypeAlias = Concealed[AnyField, str | AddressChange | None]

_FIELDS: Final[Mapping[object, Field]] = {field.value: field for field in Field}
_TOP_NAMES: Final = frozenset(field.partition(".")[0] for field in Field)
_NORMALIZERS: Final[Mapping[Field, Callable[[str, object], str | AddressChange]]] = (
    MappingProxyType(
        {
            Field.FAMILY_NAME: normalize_name,
            Field.GIVEN_NAME: normalize_name,
            Field.PATRONYMIC: normalize_name,
            Field.PHONE: normalize_phone,
            Field.EMAIL: normalize_email,
            Field.ADDRESS: normalize_address,
        }
    )
)


NOTHING_LISTED: Final[Listed] = SiteFields({})


def normalize_data(raw: Mapping[str, object], listed: Listed = NOTHING_LISTED) -> DataChange:
    """Each named field normalized; None clears it.

    `listed` are the data that the site has added. They stand below "configured" by their names;
    None for the whole clears each of them. Raises DataInvalid with every violation of the input,
    in its order; nothing is to be stored then (T-3.2-a, T-6.1.1-a).
    """
    change: dict[AnyField, str | AddressChange | None] = {}
    violations: list[FieldInvalid] = []
    for name, value in raw.items():
        if name == CONFIGURED:
            change |= _normalize_configured(value, listed, violations)
            continue
        try:
            field = _settable(name)
            change[field] = None if value is None else _NORMALIZERS[field](field, value)
        except FieldInvalid as violation:
            violations.append(violation)
        except DataInvalid as invalid:
            violations.extend(invalid.violations)
    if violations:
        raise DataInvalid(violations)
    return Concealed(change)


def _normalize_configured(
    raw: object, listed: Listed, violations: list[FieldInvalid]
) -> dict[AnyField, str | AddressChange | None]:
    if raw is not None and not isinstance(raw, Mapping):
        violations.append(FieldInvalid(CONFIGURED, Rule.WRONG_TYPE, "must be data by their names"))
        return {}
    values = dict.fromkeys(sorted(listed.names())) if raw is None else raw
    change: dict[AnyField, str | AddressChange | None] = {}
    for name, value in values.items():
        try:
            change[configured(name)] = listed.normalize(name, value)
        except FieldInvalid as violation:
            violations.append(violation)
    return change


def configured_of(change: DataChange) -> dict[str, object]:
    """The configured data of a change as `normalize_data` takes them; empty where it has none."""
    values = {str(f).partition(".")[2]: change[f] for f in change if isinstance(f, ConfiguredField)}
    return {CONFIGURED: values} if values else {}


def merge_data(current: Mapping[AnyField, str | Address], change: DataChange) -> PersonalData:
    """`current` with `change` applied, as the next version; cleared fields are absent.

    Raises DataInvalid for what only the whole can tell: a patronymic without surname and given
    name (NAME_MISSING), a postal code that is none of its country. A name as such is not required:
    who only subscribes gives an e-mail and no more (Law 7(9)).
    """
    merged: dict[AnyField, str | Address] = {}
    violations: list[FieldInvalid] = []
    for field in sorted((current.keys() | change.keys()) - RECORDED_FIELDS):
        try:
            value = _merged_value(field, current.get(field), change)
        except FieldInvalid as violation:
            violations.append(violation)
            continue
        if value is not None:
            merged[field] = value
    if NAME_FIELDS & merged.keys() == {Field.PATRONYMIC}:
        description = "needs a surname or a given name beside it"
        violations.append(FieldInvalid(Field.PATRONYMIC, Rule.NAME_MISSING, description))
    if violations:
        raise DataInvalid(violations)
    return Concealed(merged)


def _settable(name: str) -> Field:
    field = _FIELDS.get(name)
    if field is not None and field in STATED_FIELDS:
        return field
    if field is not None or name in _TOP_NAMES:
        raise FieldInvalid(name, Rule.NOT_SETTABLE, "is recorded by itself and cannot be placed")
    raise unknown_field(name)


def _merged_value(
    field: AnyField, current: str | Address | None, change: DataChange
) -> str | Address | None:
    if field not in change:
        return current
    value = change[field]
    if value is None or isinstance(value, str):
        return value
    return merge_address(field, None if isinstance(current, str) else current, value)
