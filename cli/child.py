# SPDX-License-Identifier: Apache-2.0
"""One process of the suite, forked from the supervisor, which has done all imports already.

The supervisor must hold no thread and no grpc object when it forks.
"""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle

from cli.stopping import STOPPING_SIGNALS, in_peace

_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 4096
_MOST_DESCRIPTORS = 4096


@dataclass
class Child:
    """A process by its name and module. `environment` is all that it is told.

    `ready_fd` is readable once the process serves or has ended; None while it does not start.
    """

    name: str
    module: str
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    pid: int | None = None
    ready_fd: int | None = None
    serving: bool = False

    def start(self) -> None:
        """Forks the process."""
        read, write = os.pipe()
        supervisor = os.getpid()
        # A stop that came between the fork and the note of it would leave the child behind.
        with in_peace() as mask:
            pid = os.fork()
            if pid == 0:
                self._become(write, supervisor, mask)
            self.pid, self.ready_fd, self.serving = pid, read, False
        os.close(write)

    def read_ready(self) -> None:
        """Takes the word that the process serves, or the end of the pipe without it."""
        if self.ready_fd is not None:
            self.serving = os.read(self.ready_fd, 1) == b"."
            os.close(self.ready_fd)
            self.ready_fd = None

    def reap(self) -> str | None:
        """How the process ended, in words; None while it lives or never started."""
        if self.pid is None:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.pid, self.serving = None, False
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if the process lives."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def last_lines(self, count: int = 8) -> list[str]:
        """The end of the process's log."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _TAIL_BYTES))
                return file.read().decode(errors="replace").splitlines()[-count:]
        except FileNotFoundError:
            return []

    def _become(self, ready: int, supervisor: int, mask: set[signal.Signals]) -> NoReturn:
        code = 70  # EX_SOFTWARE: what no process returns by itself
        try:
            _leave(supervisor, ready, mask)
            _write_to(self.log)
            # First: it finds the place of the title by the environment it began with.
            setproctitle(f"python -m {self.module}")
            os.environ.clear()
            os.environ.update(self.environment)
            code = import_module(f"{self.module}.__main__").main(ready=lambda: _say_ready(ready))
        except BaseException as error:  # noqa: BLE001 - the last frame of the process
            # Without the exception's text: nobody knows what it quotes.
            traceback.print_tb(error.__traceback__)
            print(f"{type(error).__name__} [text withheld]", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _say_ready(ready: int) -> None:
    os.write(ready, b".")
    os.close(ready)


def _leave(supervisor: int, ready: int, mask: set[signal.Signals]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (*STOPPING_SIGNALS, signal.SIGCHLD):
        # What nohup ignores stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which stops all in order.
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)
    os.closerange(3, ready)
    os.closerange(ready + 1, _MOST_DESCRIPTORS)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _write_to(log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for target in (1, 2):
        os.dup2(out, target)
    os.close(out)
    os.close(nothing)
