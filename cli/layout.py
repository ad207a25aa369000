# SPDX-License-Identifier: Apache-2.0
"""The folder in which a suite keeps everything, and the lock that lets one suite use it."""

import fcntl
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cli.private_file import write_private
from services.chassis.start_error import StartError

SECRET_BYTES = 32
DEVELOPMENT_OPERATOR = """\
# Who operates the sites; it stands in every record of a consent. [sites.<id>] is for one site.
[operator]
name = "«Үлгі дүкен» ЖШС"
bin = "150240010003"
address = "050000, Алматы қ., Абай даңғылы, 1"
contact = "privacy@example.kz"
responsible = "Дербес деректер жөніндегі маман"
withdrawal = "https://example.kz/consents"
"""
DEVELOPMENT_FIELDS = """\
# The data that sites keep beside those of the policy (clause 3.2.4): [fields.<name>] on every site,
# [sites.<id>.fields.<name>] on one. docs/operations.md says what may stand here.
[fields.loyaltyCard]
label = { kk = "Адалдық картасының нөмірі", ru = "Номер карты лояльности", en = "Loyalty card" }
purposes = ["PERSONAL_RESOURCES", "SUPPORT", "NEWS"]
personal = true
policyVersion = 1
form = "CODE"
maxLength = 20
"""
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Layout:
    """Where a suite's files lie below `home`."""

    home: Path

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data; its log and the roles' passwords lie beside."""
        return self.home / "postgres"

    @property
    def certificates(self) -> Path:
        """The development authority and a certificate and key per process."""
        return self.home / "certificates"

    @property
    def log(self) -> Path:
        """One file per process."""
        return self.home / "log"

    @property
    def key_file(self) -> Path:
        """The vault's key-encryption keys. The vault makes it; back it up apart from the data."""
        return self.home / "keys" / "vault.json"

    @property
    def issuer_key(self) -> Path:
        """The private key of the development issuer."""
        return self.home / "keys" / "issuer.json"

    @property
    def issuers(self) -> Path:
        """The issuers that the services believe, with their public keys."""
        return self.home / "issuers.json"

    @property
    def sites(self) -> Path:
        """Who operates each site, for the records of consents."""
        return self.home / "sites.toml"

    @property
    def mail(self) -> Path:
        """Where a development suite puts the letters it writes to people."""
        return self.home / "mail"

    @property
    def fields(self) -> Path:
        """The data that each site has added to the list."""
        return self.home / "fields.toml"

    @property
    def credentials(self) -> Path:
        """The gateway's address and what to call it with."""
        return self.home / "credentials.json"

    @property
    def seed(self) -> Path:
        """What the first start made over the API: ids by name."""
        return self.home / "seed.json"

    @property
    def run(self) -> Path:
        """What runs at this moment; absent where nothing does."""
        return self.home / "run.json"

    def secret(self, process: str) -> Path:
        """A service's secret."""
        return self.home / "keys" / f"{process}.secret"

    def log_of(self, process: str) -> Path:
        """The log of a process."""
        return self.log / f"{process}.log"

    def make(self) -> None:
        """Makes the folders that are missing. Raises OSError."""
        if not self.home.exists():
            self.home.mkdir(parents=True)
            # PostgreSQL's account has to come through; what lies inside is closed by itself.
            self.home.chmod(0o711)
        for folder in (self.certificates, self.log, self.key_file.parent):
            folder.mkdir(mode=0o700, exist_ok=True)

    def ensure_secret(self, process: str) -> None:
        """Makes a service's secret where there is none: random bytes."""
        path = self.secret(process)
        if not path.exists():
            write_private(path, secrets.token_bytes(SECRET_BYTES))

    def ensure_sites(self) -> None:
        """Names an invented operator for all sites, where nobody has named the real ones."""
        if not self.sites.exists():
            write_private(self.sites, DEVELOPMENT_OPERATOR.encode())

    def ensure_fields(self) -> None:
        """Adds a datum to the list for all sites, where nobody has said what they keep."""
        if not self.fields.exists():
            write_private(self.fields, DEVELOPMENT_FIELDS.encode())

    def lock(self) -> IO[str]:
        """Takes the folder for this process, until the file that is returned is closed.

        Raises StartError where another process has it.
        """
        file = (self.home / "lock").open("a+")
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _taken(file):
            file.seek(0)
            holder = file.read().strip()
            # A suite that was killed holds the lock for the moment in which it falls.
            if _lives(holder) or time.monotonic() > deadline:
                file.close()
                raise StartError(
                    f"another `qupia run` (process {holder or 'unknown'}) uses {self.home}: "
                    "stop it, or set QUPIA_HOME to another folder"
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: str) -> bool:
    if not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
