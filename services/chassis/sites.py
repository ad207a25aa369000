# SPDX-License-Identifier: Apache-2.0
"""Who operates each site (Law 8(4)(1), 25(2)(10); T-1.1.1-b), from a TOML file.

[operator]                   # of every site that names no other
name = "…"
bin = "…"                    # twelve digits with their check digit
address = "…"
contact = "…"
responsible = "…"            # for organizing the processing
withdrawal = "…"             # how a consent is withdrawn
storage = "Kazakhstan"       # Law 12(2)
cross_border = false
public_dissemination = false

[sites.<site id>]            # the same members, for one site
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from services.chassis.config import ConfigError, Settings
from services.chassis.registration_number import bin_is_valid


class Operator(Settings):
    """The legal person behind a site."""

    name: str
    bin: str
    address: str
    contact: str
    responsible: str
    withdrawal: str
    storage: str = "Kazakhstan"
    cross_border: bool = False
    public_dissemination: bool = False

    @field_validator("name", "address", "contact", "responsible", "withdrawal", "storage")
    @classmethod
    def _is_told(cls, value: str) -> str:
        if not value.strip() or len(value) > 500:
            raise ValueError("has to be a text of at most 500 characters")
        return value

    @field_validator("bin")
    @classmethod
    def _is_a_bin(cls, value: str) -> str:
        if not bin_is_valid(value):
            raise ValueError("is no BIN")
        return value


class Sites(Settings):
    """The operators of a file."""

    operator: Operator | None = None
    sites: dict[str, Operator] = Field(default_factory=dict)

    def operator_of(self, site_id: str) -> Operator | None:
        """Who operates a site; None where the file does not say."""
        return self.sites.get(site_id, self.operator)


def load_sites(path: Path) -> Sites:
    """The operators. Raises ConfigError, which names the member at fault."""
    try:
        with path.open("rb") as file:
            found = Sites.model_validate(tomllib.load(file))
    except OSError as error:
        raise ConfigError(f"cannot read the sites file {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the sites file {path} is not TOML: {error}") from None
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False)
        lines = [f"  {'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults]
        raise ConfigError("\n".join([f"the sites file {path} is wrong:", *lines])) from None
    if found.operator is None and not found.sites:
        raise ConfigError(f"the sites file {path} names no operator: add [operator]")
    return found
