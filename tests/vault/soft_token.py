# SPDX-License-Identifier: Apache-2.0
"""A SoftHSM2 token in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.vault.pkcs11_token import TokenPlace
    from services.vault.provider_pkcs11 import Pkcs11KeyProvider

PIN, _OFFICER_PIN = "123456", "654321"
_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
MODULE = next((place for place in _PLACES if Path(place).exists()), "")


def whats_missing() -> str:
    """What a test with a token lacks on this machine; empty where nothing."""
    if not MODULE or not shutil.which("softhsm2-util"):
        return "SoftHSM2 is not installed (Debian: softhsm2)"
    if not importlib.util.find_spec("pkcs11"):
        return "python-pkcs11 is not installed (the extra pkcs11)"
    return ""


@dataclass(frozen=True)
class SoftToken:
    """A token; whoever uses it sets SOFTHSM2_CONF to `configuration`."""

    folder: Path
    label: str = "qupia-test"

    @classmethod
    def create(cls, folder: Path) -> SoftToken:
        """A fresh token below `folder`, its PIN file beside it."""
        token = cls(folder)
        (folder / "tokens").mkdir(parents=True)
        token.configuration.write_text(
            f"directories.tokendir = {folder / 'tokens'}\n"
            "objectstore.backend = file\nlog.level = ERROR\n"
        )
        token.pin_file.write_text(PIN + "\n")
        token.pin_file.chmod(0o600)
        subprocess.run(
            [
                *("softhsm2-util", "--init-token", "--free", "--label", token.label),
                *("--so-pin", _OFFICER_PIN, "--pin", PIN),
            ],
            env={**os.environ, "SOFTHSM2_CONF": str(token.configuration)},
            check=True,
            capture_output=True,
        )
        return token

    @property
    def configuration(self) -> Path:
        """SoftHSM2's configuration file."""
        return self.folder / "softhsm2.conf"

    @property
    def pin_file(self) -> Path:
        """The file with the PIN."""
        return self.folder / "pin"

    def place(self) -> TokenPlace:
        """The token as the vault's settings name it."""
        from services.vault.pkcs11_token import TokenPlace  # noqa: PLC0415 - an extra

        return TokenPlace(Path(MODULE), self.label, self.pin_file)

    def provider(self) -> Pkcs11KeyProvider:
        """The keys of the token; the first one is made."""
        from services.vault.provider_pkcs11 import Pkcs11KeyProvider  # noqa: PLC0415 - an extra

        return Pkcs11KeyProvider.open(self.place(), create=True)


def forget_tokens() -> None:
    """Let the library go, so that it reads its configuration anew."""
    import pkcs11  # noqa: PLC0415 - an extra

    pkcs11.lib(MODULE).finalize()
