# SPDX-License-Identifier: Apache-2.0
"""How a suite ends: asked to, without being asked, and what it leaves behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness.running import home_with_databases
from tests.harness.suite import RUN, Suite, open_folder, suite_environment
from tests.harness.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.long

PROCESSES = ("vault", "consent", "claims", "disclosure", "gateway")
READ = {"purpose": "IDENTIFY_FOR_ORDER"}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A suite's folder with its databases, for suites one after another."""
    folder = open_folder()
    yield home_with_databases(folder)
    shutil.rmtree(folder)


def _pids(suite: Suite) -> list[int]:
    return [suite.supervisor.pid, *(suite.pid(p) for p in (*PROCESSES, "postgres"))]


def _all_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while alive := [pid for pid in pids if _lives(pid)]:
        if time.monotonic() > deadline:
            print("still there:", alive)
            return False
        time.sleep(0.05)
    return True


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _read(suite: Suite, subject_id: str) -> httpx.Response:
    return suite.as_("storefront").post(f"/v1/subjects/{subject_id}/data:read", json=READ)


@pytest.mark.deep
def test_a_process_that_ends_again_and_again_stops_the_suite_with_its_log(home: Path) -> None:
    own = Suite({"QUPIA_RESTART_SECONDS": "0"}, home=home)
    pids = _pids(own)
    for _ in range(4):
        own.await_back("claims", own.kill("claims"))
    pids.append(own.kill("claims"))
    assert own.await_end() == 70
    assert "claims was killed by SIGKILL, for the 5th time within 60 s" in own.output
    assert str(home / "log" / "claims.log") in own.output
    assert _all_gone(pids)
    own.stop()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.deep)]
)
def test_a_stop_ends_everything_and_leaves_nothing_but_the_data(
    home: Path, number: signal.Signals
) -> None:
    # Tests that were started under nohup hand on that a hangup is ignored.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        own = Suite(home=home)
    finally:
        signal.signal(number, before)
    pids, sockets = _pids(own), Path(own.state["sockets"])
    # As a terminal does: to the whole group of the command.
    os.killpg(own.supervisor.pid, number)
    assert own.await_end() == 0
    assert _all_gone(pids)
    assert not sockets.exists()
    assert not (home / "run.json").exists()
    assert own.output.rstrip().endswith("Stopped; the data are kept.")
    for process in PROCESSES:
        assert "killed" not in own.output, process
    own.stop()


@pytest.mark.deep
def test_under_nohup_a_closing_terminal_stops_nothing(home: Path) -> None:
    with Suite(home=home, command=("nohup", *RUN)) as own:
        os.killpg(own.supervisor.pid, signal.SIGHUP)
        time.sleep(0.5)
        assert own.supervisor.poll() is None
        assert own.healthy()
        own.await_back("consent", own.kill("consent"))


@pytest.mark.deep
def test_a_suite_in_the_background_of_a_script_heeds_an_interrupt(home: Path) -> None:
    # Without job control a shell starts `command &` with SIGINT ignored.
    ignoring = ("sh", "-c", 'trap "" INT; exec "$@"', "sh", *RUN)
    own = Suite(home=home, command=ignoring)
    own.supervisor.send_signal(signal.SIGINT)
    assert own.await_end() == 0
    own.stop()


@pytest.mark.deep
def test_a_stop_during_the_start_ends_everything() -> None:
    folder = open_folder()
    starting = subprocess.Popen(
        RUN,
        cwd=folder,
        env=suite_environment(folder / "var"),
        stdout=subprocess.PIPE,
        text=True,
    )
    with starting:
        assert starting.stdout is not None
        for line in starting.stdout:
            if "certificates" in line:
                break
        time.sleep(0.3)  # into the making of the database
        starting.send_signal(signal.SIGINT)
        assert starting.stdout.read().endswith("Stopped; the data are kept.\n")
    assert starting.returncode == 0
    assert not list(folder.glob("var/postgres/postmaster.pid"))
    assert not list(folder.glob("var/run.json"))
    # What initdb had begun may still be ending.
    shutil.rmtree(folder, ignore_errors=True)


def test_when_the_supervisor_is_killed_all_end_and_the_next_start_cleans_up(home: Path) -> None:
    own = Suite(home=home)
    subject_id = own.new_subject({"givenName": "Нұрсұлтан"})
    pids, sockets = _pids(own), Path(own.state["sockets"])
    own.supervisor.kill()
    own.await_end()
    own.stop()
    with Suite(home=home) as next_one:
        assert _read(next_one, subject_id).status_code == 200
        assert not sockets.exists()
    assert _all_gone(pids)


@pytest.mark.deep
def test_a_process_that_does_not_end_in_time_is_killed(home: Path) -> None:
    own = Suite(home=home)
    pids = _pids(own)
    os.kill(own.pid("claims"), signal.SIGSTOP)
    began = time.monotonic()
    # A frozen process is woken to end by itself.
    assert own.stop() == 0
    assert time.monotonic() - began < 10
    assert _all_gone(pids)
