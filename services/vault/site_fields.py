# SPDX-License-Identifier: Apache-2.0
"""What a site has added to the closed list: form of its values, and who may read it (T-3.2.4-a)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Protocol

from services.chassis.configured_fields import (
    CONFIGURED,
    ConfiguredFields,
    FieldRule,
    Fields,
    Form,
)
from services.chassis.registration_number import iin_is_valid
from services.vault.fields import AnyField, ConfiguredField, Reach, configured, field_of
from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule, unknown_field

# Of a date, a choice or an IIN.
_LONGEST = 64
_CODE_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


class Listed(Protocol):
    """What configured data may be placed, and in which form."""

    def names(self) -> frozenset[str]:
        """The names on the list."""

    def normalize(self, name: str, value: object) -> str | None:
        """A value in its form, None as it is. Raises FieldInvalid for a name of no list too."""


class SiteFields:
    """The list of one site."""

    def __init__(self, fields: Fields) -> None:
        self._fields = dict(fields)

    def names(self) -> frozenset[str]:
        """The names on the list."""
        return frozenset(self._fields)

    def rules(self) -> Mapping[str, FieldRule]:
        """What the configuration says of each."""
        return self._fields

    def fields(self) -> frozenset[ConfiguredField]:
        """The fields on the list."""
        return frozenset(configured(name) for name in self._fields)

    def reached_by(self, purpose: str) -> frozenset[Reach]:
        """What a purpose may read of them; verification reads all (4.1.5)."""
        return frozenset(
            Reach(configured(name), rule.policy_version)
            for name, rule in self._fields.items()
            if purpose in rule.purposes or purpose == "VERIFY_DATA"
        )

    def asked(self, names: Iterable[str]) -> frozenset[AnyField]:
        """The fields that a read names. Raises ValueError for one that the site does not have."""
        found = frozenset(field_of(name) for name in names)
        if any(isinstance(f, ConfiguredField) for f in found - self.fields()):
            raise ValueError("the site has no such field")
        return found

    def normalize(self, name: str, value: object) -> str | None:
        """A value in the form of its field; None clears it.

        Raises FieldInvalid: UNKNOWN_FIELD for a name that is not on the list, what
        `normalize_text` raises, FORM_MISMATCH.
        """
        rule = self._fields.get(name)
        if rule is None:
            raise unknown_field(name, CONFIGURED)
        if value is None:
            return None
        path = str(configured(name))
        text = normalize_text(path, value, rule.max_length or _LONGEST)
        told = _fault(rule, text)
        if told:
            raise FieldInvalid(path, Rule.FORM_MISMATCH, told)
        return text


class AsStaged:
    """Takes configured data as they are: they were normalized when they were staged.

    The configuration may have changed since; what the verification found stands (6.2.3).
    """

    def names(self) -> frozenset[str]:
        """None are needed: a staged change names what it clears."""
        return frozenset()

    def normalize(self, name: str, value: object) -> str | None:
        """The value itself."""
        if value is not None and not isinstance(value, str):
            raise FieldInvalid(str(configured(name)), Rule.WRONG_TYPE, "must be text")
        return value


class SiteLists:
    """The lists of all sites."""

    def __init__(self, all_fields: ConfiguredFields) -> None:
        self._all = all_fields
        self._sites = {site: SiteFields(all_fields.of_site(site)) for site in all_fields.sites}
        self._others = SiteFields(all_fields.fields)

    def of(self, site: str) -> SiteFields:
        """The list of a site."""
        return self._sites.get(site, self._others)


def _fault(rule: FieldRule, text: str) -> str:
    if rule.form is Form.CODE and not set(text) <= _CODE_CHARACTERS:
        return "must be of A-Z a-z 0-9 . _ -"
    if rule.form is Form.DATE and not _is_day(text):
        return "must be a day of the calendar, YYYY-MM-DD"
    if rule.form is Form.CHOICE and text not in rule.choices:
        return "must be one of the configured choices"
    if rule.form is Form.IIN and not iin_is_valid(text):
        return "must be an IIN: twelve digits with date of birth and check digit"
    return ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
