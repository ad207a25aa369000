# SPDX-License-Identifier: Apache-2.0
"""The data that operators add to the closed list (clauses 3.2, 3.2.4), from a TOML file.

[fields.loyaltyCard]         # of every site; [sites.<site id>.fields.<name>] adds one to a site
label = { kk = "…", ru = "…", en = "…" }
purposes = ["SUPPORT"]       # of clause 4.1, that may read it
personal = true              # whether it tells of the person by itself; it is kept alike
policyVersion = 1            # of the site's policy: the first whose text lists it
form = "CODE"                # TEXT, CODE, DATE, CHOICE or IIN
maxLength = 20               # of TEXT (up to 1,000) and CODE (up to 64)
choices = ["S", "M"]         # of CHOICE

There is no form or name for "other": every datum says what it is before it can be stored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import records_pb2
from services.chassis.config import ConfigError

CONFIGURED: Final = "configured"
MOST_FIELDS: Final = 50
_NAME: Final = re.compile(r"[a-z][A-Za-z0-9]{0,39}")
_SITE: Final = re.compile(r"[a-z0-9-]{1,32}")
_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VAGUE: Final = re.compile(
    r"(?i)(other|misc|miscellaneous|various|extra|custom|more|any|unknown|additional)"
    r"(s|data|info|information|details)?|etc|notes?|data|info|information|remarks?|comments?"
)
_BUILT_IN: Final = frozenset(
    str(field.json_name)
    for message in (subject_pb2.PersonalData, subject_pb2.Address, records_pb2.Visit)
    for field in message.DESCRIPTOR.fields
) | {"purchases", "technical", "name"}
# Reached by no datum that a person states: technical data only, nothing at all, or by a claim.
_CLOSED: Final = {
    "SECURITY_LOCATION": "reads technical data only (4.1.4)",
    "PARTNER_SITES": "gives out nothing (4.1.12)",
    "VERIFY_DATA": "reaches every stated datum by itself (4.1.5)",
    "AUTOMATED_DECISION": "is a consent and no purpose",
    "CODE_UNSPECIFIED": "is no purpose of clause 4.1",
}
_PURPOSES: Final = frozenset(subject_pb2.Purpose.Code.keys()) - _CLOSED.keys()


class Form(StrEnum):
    """What a value looks like."""

    TEXT = "TEXT"
    CODE = "CODE"
    DATE = "DATE"
    CHOICE = "CHOICE"
    IIN = "IIN"


_LONGEST: Final = {Form.TEXT: 1000, Form.CODE: 64}


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
    )


class Label(_Strict):
    """What people call the datum."""

    kk: str = Field(min_length=1, max_length=100)
    ru: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=100)


class FieldRule(_Strict):
    """What is said of one datum of a site's own list.

    `purposes` are those of clause 4.1 that may read it; `policy_version` is the first version of
    the policy that lists it: an express consent to an older version does not reach it (T-9.1-b).
    """

    label: Label
    purposes: frozenset[str] = Field(min_length=1)
    personal: bool
    policy_version: int = Field(ge=1)
    form: Form
    max_length: int = 0
    choices: tuple[str, ...] = ()

    @field_validator("purposes")
    @classmethod
    def _may_read(cls, purposes: frozenset[str]) -> frozenset[str]:
        for purpose in sorted(purposes - _PURPOSES):
            raise ValueError(f"{purpose} {_CLOSED.get(purpose, 'is no purpose of clause 4.1')}")
        return purposes

    @model_validator(mode="after")
    def _is_of_its_form(self) -> FieldRule:
        longest = _LONGEST.get(self.form, 0)
        if longest and not 1 <= self.max_length <= longest:
            raise ValueError(f"maxLength of {self.form} is from 1 to {longest}")
        if not longest and self.max_length:
            raise ValueError(f"{self.form} has no maxLength")
        if (self.form is Form.CHOICE) != bool(self.choices):
            raise ValueError("choices belong to CHOICE, and CHOICE has some")
        wrong = [each for each in self.choices if not _CODE.fullmatch(each)]
        if wrong or len(set(self.choices)) != len(self.choices) or len(self.choices) > 100:
            raise ValueError("choices are up to 100 different codes of A-Z a-z 0-9 . _ -")
        return self


Fields = Mapping[str, FieldRule]


class _Site(_Strict):
    fields: dict[str, FieldRule]


class ConfiguredFields(_Strict):
    """The lists of all sites; `fields` are on every one."""

    fields: dict[str, FieldRule] = Field(default_factory=dict)
    sites: dict[str, _Site] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_only(self) -> ConfiguredFields:
        for site, own in self.sites.items():
            if not _SITE.fullmatch(site):
                raise ValueError("a site is 1 to 32 of a-z 0-9 -")
            for name in sorted(own.fields.keys() & self.fields.keys()):
                raise ValueError(f"{name} of site {site} stands for every site already")
        for fields in (self.fields, *(own.fields for own in self.sites.values())):
            for name in fields:
                _check_name(name)
        for site in ("", *self.sites):
            if len(self.of_site(site)) > MOST_FIELDS:
                raise ValueError(f"a site adds at most {MOST_FIELDS} fields")
        return self

    def of_site(self, site_id: str) -> Fields:
        """What a site has added, by name."""
        own = self.sites.get(site_id)
        return self.fields | (own.fields if own else {})


def load_configured_fields(path: Path | None) -> ConfiguredFields:
    """The lists of a file, none where there is no file.

    Raises ConfigError, which names the member at fault.
    """
    if path is None:
        return ConfiguredFields()
    try:
        with path.open("rb") as file:
            return ConfiguredFields.model_validate(tomllib.load(file))
    except OSError as error:
        raise ConfigError(f"cannot read the fields file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the fields file {path} is not TOML: {error}") from None
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False)
        lines = [f"  {'.'.join(map(str, f['loc'])) or 'the file'}: {f['msg']}" for f in faults]
        raise ConfigError("\n".join([f"the fields file {path} is wrong:", *lines])) from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: lowerCamelCase of A-Z a-z 0-9, at most 40")
    if name in _BUILT_IN:
        raise ValueError(f"{name} is on the list already and cannot be configured")
    if _VAGUE.fullmatch(name):
        raise ValueError(f"{name} does not say what it is: there is no datum OTHER (3.2.4)")
