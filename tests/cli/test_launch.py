# SPDX-License-Identifier: Apache-2.0
"""What a program is given that is started under another account, or tied to who started it."""

import os
import pwd
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from cli.account import Account, account_for
from cli.launch import launched

SHELL = "/bin/sh"
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")


def _own() -> Account:
    found = pwd.getpwuid(os.geteuid())
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


@contextmanager
def _calls_under_way() -> Iterator[None]:
    """Threads of this process call a server of this process without a pause."""
    served: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
        lambda request, _: request
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("qupia.Echo", {"Say": served}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ended = threading.Event()

    def call() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            say: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/qupia.Echo/Say")
            while not ended.is_set():
                say(b"", timeout=10)

    with ThreadPoolExecutor(2) as callers:
        calling = [callers.submit(call) for _ in range(2)]
        try:
            yield
        finally:
            ended.set()
    for each in calling:
        each.result()
    server.stop(None).wait()


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(account_for(Path("/nowhere")), marks=ONLY_ROOT, id="another"),
        pytest.param(_own(), id="own"),
    ],
)
@pytest.mark.parametrize("ended_by", [None, signal.SIGINT])
def test_no_program_is_started_by_a_fork_of_calls_under_way(
    account: Account, ended_by: signal.Signals | None, capfd: pytest.CaptureFixture[str]
) -> None:
    with _calls_under_way():
        for _ in range(20):
            command = account.command([SHELL, "-c", "exit 7"], ended_by=ended_by)
            assert subprocess.run(command, check=False).returncode == 7
    # grpc says so for nearly every fork that it cannot prepare.
    assert "fork" not in capfd.readouterr().err


@ONLY_ROOT
def test_another_account_has_none_of_our_groups() -> None:
    account = account_for(Path("/nowhere"))
    before = os.getgroups()
    os.setgroups([account.gid + 1])
    try:
        done = account.run([SHELL, "-c", "id -u; id -g; id -G"])
    finally:
        os.setgroups(before)
    assert done.stdout.split() == [str(account.uid), str(account.gid), str(account.gid)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_what_only_python_ignores_is_not_ignored_by_a_launched_program() -> None:
    show = [SHELL, "-c", "cat /proc/self/status"]
    shown = subprocess.run(launched(show), capture_output=True, text=True, check=True)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert _ignores(Path("/proc/self/status").read_text(), number)
        assert not _ignores(shown.stdout, number)


def _ignores(status: str, number: signal.Signals) -> bool:
    mask = re.search(r"^SigIgn:\s*(\w+)$", status, re.MULTILINE)
    assert mask is not None
    return bool(int(mask[1], 16) >> (number - 1) & 1)


def test_a_program_without_a_path_is_looked_for_as_a_shell_does() -> None:
    command = launched(["sh", "-c", "exit 7"], ended_by=signal.SIGINT)
    assert subprocess.run(command, check=False).returncode == 7


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    program = tmp_path / "program"
    for reason in ("No such file", "Permission denied"):
        done = subprocess.run(
            launched([str(program)], ended_by=signal.SIGINT),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 127
        assert done.stderr.startswith(f"{program} cannot be started: {reason}")
        program.touch(mode=0o600)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tie is Linux's")
def test_a_program_does_not_start_where_who_wanted_it_is_gone() -> None:
    """Its end came before the tie to it: nobody else would ever end the program."""
    command = launched([SHELL, "-c", "exit 7"], ended_by=signal.SIGINT)
    by_another = [SHELL, "-c", '"$@"; exit $?', SHELL, *command]
    assert subprocess.run(by_another, check=False).returncode == 127
    assert subprocess.run(command, check=False).returncode == 7
