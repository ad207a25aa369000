# SPDX-License-Identifier: Apache-2.0
"""What each process of the suite is told, and nothing more: its own QUPIA_<PROCESS>_ keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.databases import BOOKS, Databases
from cli.layout import Layout
from cli.settings import PROCESSES
from services.chassis.config import ConfigError

MODULES = {p: "gateway" if p == "gateway" else f"services.{p}" for p in PROCESSES}
SERVICES = tuple(p for p in PROCESSES if p != "gateway")
WRITERS = ("vault", "claims")
"""Those that write letters to people."""
NAMERS = ("consent", "claims", "disclosure")
"""Those that name who operates a site."""
DECIDERS = ("consent", "claims", "disclosure")
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the processes listen: Unix sockets in one short folder, the gateway on a port too."""

    sockets: Path
    http_port: int

    @property
    def gateway(self) -> str:
        """The gateway's URL."""
        return f"http://127.0.0.1:{self.http_port}"

    def grpc(self, process: str) -> str:
        """Where a service answers."""
        return f"unix:{self.sockets / process}.sock"

    def metrics(self, process: str) -> str:
        """Where a process shows its figures."""
        return f"unix:{self.sockets / process}.metrics"


def environment_of(
    process: str,
    layout: Layout,
    addresses: Addresses,
    databases: Databases,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of a process.

    Other keys of the process that stand in `environ` are passed on, unknown ones too: the process
    itself refuses those. Raises ConfigError for a key that the suite decides.
    """
    prefix = f"QUPIA_{process.upper()}_"
    decided = _decided(process, layout, addresses)
    given = {k.removeprefix(prefix): v for k, v in environ.items() if k.startswith(prefix)}
    if process in WRITERS and "SMTP_HOST" not in given:
        decided["MAIL_FOLDER"] = str(layout.mail)
    if process == "vault" and "EPOCHS_BY_HAND" not in given:
        # On a developer's machine no key goes by itself.
        decided["EPOCHS_BY_HAND"] = "true"
    for key in sorted(given.keys() & decided.keys()):
        hint = "; the port is QUPIA_HTTP_PORT" if key == "LISTEN" else ""
        raise ConfigError(f"{prefix}{key} is decided by `qupia run`: take it away{hint}")
    urls = {book.setting: databases.urls[book.name] for book in BOOKS if book.process == process}
    values = {f"{prefix}{key}": value for key, value in {**decided, **urls, **given}.items()}
    kept = {key: environ[key] for key in _PASSED_ON if key in environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **values}


def _decided(process: str, layout: Layout, addresses: Addresses) -> dict[str, str]:
    common = {
        "CERTIFICATES": str(layout.certificates),
        "METRICS": addresses.metrics(process),
        "PROFILE": "development",
    }
    if process == "gateway":
        targets = {f"{p.upper()}_TARGET": addresses.grpc(p) for p in SERVICES}
        listen = addresses.gateway.removeprefix("http://")
        return {**common, **targets, "LISTEN": listen}
    common |= {
        "LISTEN": addresses.grpc(process),
        "ISSUERS": str(layout.issuers),
        "SECRET": str(layout.secret(process)),
    }
    if process in DECIDERS:
        common["VAULT"] = addresses.grpc("vault")
    if process == "claims":
        common |= {each.upper(): addresses.grpc(each) for each in ("consent", "disclosure")}
    if process in NAMERS:
        common["SITES"] = str(layout.sites)
    if process in ("consent", "vault"):
        common["FIELDS"] = str(layout.fields)
    if process == "vault":
        common["KEY_FILE"] = str(layout.key_file)
        common["SITES"] = str(layout.sites)
    return common
