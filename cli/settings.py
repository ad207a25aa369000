# SPDX-License-Identifier: Apache-2.0
"""What `qupia run` is told: QUPIA_<KEY>; an unknown key stops the start."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from services.chassis.config import ConfigError, Settings, load_settings

PROCESSES = ("vault", "consent", "claims", "disclosure", "gateway")
"""In the order of their start; a stop goes the other way."""

OFFICERS_VARIABLES = (
    "QUPIA_GATEWAY",
    "QUPIA_TOKEN",
    "QUPIA_TOKEN_FILE",
    "QUPIA_SITE",
    "QUPIA_LANGUAGE",
)
"""For the commands that call a gateway (`cli.office_place`); `qupia run` passes over them."""

_PREFIX = "QUPIA_"
_OF_A_PROCESS = tuple(f"{_PREFIX}{process.upper()}_" for process in PROCESSES)


class RunSettings(Settings):
    """`home` is the folder of everything that is kept, `postgres` one with other binaries.

    `http_port` 0 takes a free port. `restart_seconds` is the pause before a process that ended is
    started again. `fsync` off is for tests: it loses data with the machine's power.
    """

    home: Path = Path("var")
    http_port: int = Field(default=8080, ge=0, le=65535)
    restart_seconds: Literal["never"] | float = Field(default=3.0)
    fsync: bool = True
    postgres: Path | None = None


def run_settings(environ: Mapping[str, str] | None = None) -> RunSettings:
    """The settings in the environment. Raises ConfigError naming every unknown or invalid key."""
    environ = os.environ if environ is None else environ
    own = {
        f"{_PREFIX}RUN_{name.removeprefix(_PREFIX)}": value
        for name, value in environ.items()
        if name.startswith(_PREFIX)
        and not name.startswith(_OF_A_PROCESS)
        and name not in OFFICERS_VARIABLES
    }
    settings = load_settings(RunSettings, "run", own)
    if settings.restart_seconds != "never" and not 0 <= settings.restart_seconds <= 3600:
        raise ConfigError("QUPIA_RESTART_SECONDS is from 0 to 3600, or never")
    return settings


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the suite that a command speaks of: QUPIA_HOME, or ./var."""
    environ = os.environ if environ is None else environ
    return Path(environ.get(f"{_PREFIX}HOME", "var")).absolute()
