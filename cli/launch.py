# SPDX-License-Identifier: Apache-2.0
"""Starts a program under another account, or such that it ends with the process that wants it.

Both are done by a process between, which then becomes the program: this file, run as a script.
subprocess would do them by a fork, and a fork runs what gRPC does at one: a child of a process
whose calls are under way then sometimes aborts before it is the program. Nothing is imported here
but Python's own modules, which the process between finds without a path.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_CANNOT_START = 127  # as a shell says it
_AS_BEFORE = "-"


def launched(
    command: Sequence[str],
    *,
    account: tuple[int, int] | None = None,
    ended_by: signal.Signals | None = None,
) -> list[str]:
    """The command that becomes `command`.

    `account` is the user and the group to change to, with no further groups. `ended_by` is the
    signal that the program gets at the end of the thread that starts it (Linux only). A program
    that cannot be started says so on its standard error and ends with 127.
    """
    user, group = map(str, account or (_AS_BEFORE, _AS_BEFORE))
    ending = _AS_BEFORE if ended_by is None else str(int(ended_by))
    between = [sys.executable, "-I", "-S", __file__]
    return [*between, user, group, ending, str(os.getpid()), *command]


def _become(user: str, group: str, ending: str, parent: str, *command: str) -> None:
    # Python ignores these for itself, and what is ignored stays so in the next program.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if user != _AS_BEFORE:
        os.setgroups([])
        os.setgid(int(group))
        os.setuid(int(user))
    # After the account: a change of it forgets the signal.
    if ending != _AS_BEFORE and sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(ending))
        if os.getppid() != int(parent):
            sys.exit(_CANNOT_START)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    _become(*sys.argv[1:])
