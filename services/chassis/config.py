# SPDX-License-Identifier: Apache-2.0
"""Configuration: a TOML file overlaid by the environment; an unknown key stops the start."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(Exception):
    """The configuration is wrong; the text says which key and what to do."""


class Settings(BaseModel):
    """Base of every process's settings: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


S = TypeVar("S", bound=Settings)


def load_settings(model: type[S], process: str, environ: Mapping[str, str] | None = None) -> S:
    """Settings of `process`: the file named by QUPIA_CONFIG, overlaid by QUPIA_<PROCESS>_<KEY>.

    Raises ConfigError naming every unknown, missing or invalid key.
    """
    environ = os.environ if environ is None else environ
    prefix = f"QUPIA_{process.upper()}_"
    values = _file_values(environ.get("QUPIA_CONFIG"))
    for name, value in environ.items():
        if name.startswith(prefix):
            values[name.removeprefix(prefix).lower()] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, model, process, prefix)) from None


def _file_values(path: str | None) -> dict[str, object]:
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}") from None


def _explain(error: ValidationError, model: type[Settings], process: str, prefix: str) -> str:
    lines = [f"the configuration of {process} is wrong:"]
    for fault in error.errors(include_input=False, include_context=False):
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, model.model_fields, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            lines.append(f"  {key}: no such key{hint}")
        elif fault["type"] == "missing":
            lines.append(f"  {key}: missing; set {prefix}{key.upper()} or the key in the file")
        else:
            lines.append(f"  {key}: {fault['msg']}")
    lines.append(f"known keys: {', '.join(sorted(model.model_fields))}")
    return "\n".join(lines)
