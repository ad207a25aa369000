# SPDX-License-Identifier: Apache-2.0
"""The operating system's account that a child process runs under."""

import os
import pwd
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.launch import launched


@dataclass(frozen=True)
class Account:
    """An entry of the password database."""

    name: str
    uid: int
    gid: int

    def command(
        self, command: Sequence[str], *, ended_by: signal.Signals | None = None
    ) -> list[str]:
        """What becomes `command` under this account, and ends with us if `ended_by` is named."""
        if self._is_own and ended_by is None:
            return list(command)
        account = None if self._is_own else (self.uid, self.gid)
        return launched(command, account=account, ended_by=ended_by)

    @property
    def environment(self) -> dict[str, str]:
        """A fixed environment: nothing of the caller's, secrets and PG* included, is passed on."""
        kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **kept}

    @property
    def _is_own(self) -> bool:
        return self.uid == os.geteuid()

    def run(
        self, command: Sequence[str], *, pass_fds: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, capturing its output.

        A program that another account cannot start ends with 127; one that our own cannot start
        raises OSError.
        """
        return subprocess.run(
            self.command(command),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=self.environment,
            pass_fds=pass_fds,
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether the folder and all above it let this account through."""
        return self.run(["/bin/sh", "-c", 'test -x "$0"', str(folder)]).returncode == 0


def account_for(data_dir: Path) -> Account:
    """Our own account, or as root the owner of `data_dir`, or else one that is not root.

    Raises LookupError when the account has no entry in the password database.
    """
    own = os.geteuid()
    if own != 0:
        return _entry(own)
    if data_dir.exists() and (owner := data_dir.stat().st_uid) != 0:
        return _entry(owner)
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    for found in pwd.getpwall():
        if found.pw_uid != 0:
            return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise LookupError("there is no account but root: add one, for example `nobody`")


def _entry(uid: int) -> Account:
    try:
        found = pwd.getpwuid(uid)
    except KeyError as error:
        raise LookupError(f"the user {uid} has no entry in /etc/passwd: add one") from error
    return Account(found.pw_name, found.pw_uid, found.pw_gid)
