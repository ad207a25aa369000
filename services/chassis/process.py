# SPDX-License-Identifier: Apache-2.0
"""The life of a process: start, serve, drain, and a clear word where it cannot start."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from services.chassis.address import AddressInUse
from services.chassis.config import ConfigError, Settings
from services.chassis.contract import ContractError
from services.chassis.migration import SchemaMismatch
from services.chassis.refusal import Unavailable
from services.chassis.server import Certificate
from services.chassis.start_error import EXIT_CONFIG, EXIT_START, StartError


class ProcessSettings(Settings):
    """What every gRPC process is told.

    `listen` and `metrics` are ``host:port`` or ``unix:/path``; `certificates`
    is the folder with ``ca.pem``, ``<process>.pem`` and ``<process>.key``;
    `issuers` the file with the issuers of person tokens; `secret` a file of
    at least 32 random bytes. `profile` production refuses what is made for
    development. `workers` are the calls that are worked on at once,
    `critical_workers` those beside them that no flood may keep out.
    """

    listen: str
    certificates: Path
    database_url: str
    issuers: Path
    secret: Path
    metrics: str = ""
    profile: str = "production"
    workers: int = 16
    critical_workers: int = 8
    database_timeout_ms: int = 2000
    refusals_per_minute: int = 600

    @property
    def development(self) -> bool:
        """Whether this is a development run."""
        return self.profile == "development"


def certificate_of(process: str, folder: Path) -> Certificate:
    """The process's certificate files. Raises StartError naming a missing one."""
    certificate = Certificate(
        folder / "ca.pem", folder / f"{process}.pem", folder / f"{process}.key"
    )
    for path in (certificate.authority, certificate.chain, certificate.key):
        if not path.is_file():
            raise StartError(f"no certificate file {path}: issue it or set `certificates`")
    return certificate


def read_secret(path: Path) -> bytes:
    """The service's secret. Raises StartError for a missing or short file."""
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise StartError(f"cannot read the secret file {path}: {error.strerror}") from None
    if len(secret) < 32:
        raise StartError(f"the secret file {path} holds fewer than 32 bytes")
    return secret


def peer_names() -> dict[str, str]:
    """URI names in certificates, to the processes they stand for."""
    return {
        f"spiffe://qupia/{p}": p for p in ("gateway", "consent", "vault", "disclosure", "claims")
    }


def run(process: str, serve: Callable[[threading.Event], None]) -> int:
    """Run `serve` until SIGTERM or SIGINT sets its event; returns the exit code.

    Says on standard error, in one plain line, why a process cannot start.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(stop)
    except (ConfigError, ContractError) as error:
        return _cannot_start(process, str(error), EXIT_CONFIG)
    except (StartError, AddressInUse, SchemaMismatch) as error:
        return _cannot_start(process, str(error), EXIT_START)
    except Unavailable:
        text = (
            "the database cannot be reached: start it, or check "
            f"QUPIA_{process.upper()}_DATABASE_URL"
        )
        return _cannot_start(process, text, EXIT_START)
    return 0


def _cannot_start(process: str, text: str, code: int) -> int:
    sys.stderr.write(f"{process}: {text}\n")
    return code
