# SPDX-License-Identifier: Apache-2.0
"""Which gateway a command calls, and with whose token.

QUPIA_GATEWAY with QUPIA_TOKEN or QUPIA_TOKEN_FILE names them; otherwise they are those of the suite
in QUPIA_HOME, whose credentials.json has a token for each caller of the development suite.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.layout import Layout
from cli.private_file import read_json
from cli.settings import home_folder
from services.chassis.config import ConfigError
from services.chassis.start_error import StartError

_LANGUAGES = ("kk", "ru", "en")


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway's URL, the token to call it with, the site for tokens of several, a language."""

    gateway: str
    token: str = field(repr=False)
    site: str = ""
    language: str = "en"

    @property
    def is_local(self) -> bool:
        """Whether the gateway is on this machine."""
        host = urlsplit(self.gateway).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def find_place(caller: str, chosen: str = "", environ: Mapping[str, str] | None = None) -> Place:
    """Where to call as `caller` (a name of credentials.json, such as privacyOfficer).

    `chosen` is the name that the user gave and goes before the environment. Raises ConfigError
    for an environment that is half set, StartError where no suite has run.
    """
    environ = os.environ if environ is None else environ
    gateway, token = environ.get("QUPIA_GATEWAY", ""), "" if chosen else _token(environ)
    site, language = environ.get("QUPIA_SITE", ""), _language(environ)
    if token and not gateway:
        raise ConfigError("a token is given and no gateway: set QUPIA_GATEWAY to its URL")
    if gateway and not token and not chosen:
        raise ConfigError(
            "QUPIA_GATEWAY is given and no token: set QUPIA_TOKEN_FILE to a file that holds it, or "
            "QUPIA_TOKEN"
        )
    if token:
        return safe(Place(gateway.rstrip("/"), token, site, language))
    found_gateway, found_token = _of_the_suite(chosen or caller, environ)
    return safe(Place((gateway or found_gateway).rstrip("/"), found_token, site, language))


def _token(environ: Mapping[str, str]) -> str:
    path = environ.get("QUPIA_TOKEN_FILE", "")
    if not path:
        return environ.get("QUPIA_TOKEN", "").strip()
    try:
        token = Path(path).read_text("ascii").strip()
    except (OSError, ValueError):
        raise ConfigError(f"QUPIA_TOKEN_FILE: {path} cannot be read") from None
    if not token:
        raise ConfigError(f"QUPIA_TOKEN_FILE: {path} is empty")
    return token


def _of_the_suite(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    path = Layout(home_folder(environ)).credentials
    try:
        document = read_json(path)
        credentials = document["credentials"]
        gateway = str(document["gateway"])
    except (OSError, ValueError, KeyError):
        raise StartError(
            f"{path} holds no credentials: start the suite by `qupia run`, set QUPIA_HOME to its "
            "folder, or name another one by QUPIA_GATEWAY and QUPIA_TOKEN_FILE"
        ) from None
    if name not in credentials:
        raise ConfigError(f"{path} knows no {name}; it knows {', '.join(credentials)}")
    return gateway, str(credentials[name]["token"])


def safe(place: Place) -> Place:
    """The place, where its token goes to it unheard. Raises ConfigError."""
    parts = urlsplit(place.gateway)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("QUPIA_GATEWAY is no URL such as https://qupia.example.kz")
    if parts.scheme == "http" and not place.is_local:
        raise ConfigError(
            f"{place.gateway} would send the token in the clear: name it by https://…"
        )
    if not (place.token.isascii() and place.token.isprintable() and " " not in place.token):
        raise ConfigError("the token is not one line of ASCII characters")
    return place


def _language(environ: Mapping[str, str]) -> str:
    """The one of kk, ru, en that the environment speaks; English where it speaks none."""
    for name in ("QUPIA_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            spoken = environ[name][:2].lower()
            return spoken if spoken in _LANGUAGES else "en"
    return "en"
