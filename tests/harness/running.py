# SPDX-License-Identifier: Apache-2.0
"""A suite's processes for tests: `qupia run` in a folder of its own, as a user starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg

from cli.launch import launched
from tests.harness.cluster import open_folder, put_cluster

ROOT = Path(__file__).parents[2]
RUN = (sys.executable, "-m", "cli", "run")
_START_SECONDS = 90.0
_STOP_SECONDS = 90.0
_BACK_SECONDS = 90.0
_CALL_SECONDS = 60.0


class SuiteFailed(Exception):
    """The suite did not start or did not do what a helper needs; the text has its output.

    `code` is the exit code where it ended.
    """

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class RunningSuite:
    """A running suite, its processes and files; use it in a `with`, or call `stop`.

    `settings` are environment variables over the harness's own, such as QUPIA_RESTART_SECONDS.
    A `home` that is given is kept; without one a folder is made, with the databases in it, and
    removed in the end. Raises SuiteFailed where the suite does not start.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        home: Path | None = None,
        command: Sequence[str] = RUN,
    ) -> None:
        self._owns_home = home is None
        self.home = home_with_databases(open_folder()) if home is None else home
        self._environment = suite_environment(self.home, settings)
        self._clients: dict[str, httpx.Client] = {}
        self._owners: dict[str, psycopg.Connection[Any]] = {}
        output = self.home.parent / "output.txt"
        output.unlink(missing_ok=True)
        # Appended to: reading here must not move the place where the suite writes.
        self._output = output.open("ab+")
        try:
            self.supervisor = self._start(list(command))
        except BaseException:
            self._leave()
            raise

    # -- where things are -------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """run.json as it stands at this moment."""
        return _read(self.home / "run.json")

    @property
    def gateway(self) -> str:
        """The gateway's URL."""
        return str(self.state["gateway"])

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        """What credentials.json gives each caller."""
        found: dict[str, dict[str, str]] = _read(self.home / "credentials.json")["credentials"]
        return found

    @property
    def certificates(self) -> Path:
        """The folder with ca.pem, and a .pem and .key per process."""
        return Path(self.state["certificates"])

    @property
    def output(self) -> str:
        """All that `qupia run` has printed."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def pid(self, process: str) -> int:
        """The id of a process at this moment; of `postgres` too."""
        state = self.state
        part = state["postgres"] if process == "postgres" else state["processes"][process]
        return int(part["pid"])

    def target(self, process: str) -> str:
        """Where a service answers gRPC, such as unix:/…/vault.sock."""
        return str(self.state["processes"][process]["socket"])

    def metrics(self, process: str) -> str:
        """The figures of a process, in Prometheus' text form."""
        address = self.state["processes"][process]["metrics"].removeprefix("unix:")
        transport = httpx.HTTPTransport(uds=address)
        with httpx.Client(transport=transport, timeout=_CALL_SECONDS, trust_env=False) as client:
            return client.get("http://local/metrics").text

    def log(self, process: str) -> str:
        """What a process has written."""
        return Path(self.state["processes"][process]["log"]).read_text("utf-8")

    def database_url(self, name: str, role: str = "runtime") -> str:
        """A database's URL for its `runtime` role, its `owner` or the `superuser`."""
        state = self.state
        if role == "superuser":
            url: str = state["postgres"]["superuser"]
            return url.replace("@/postgres?", f"@/{name}?")
        return str(state["databases" if role == "runtime" else "owners"][name])

    def owner_of(self, name: str) -> psycopg.Connection[Any]:
        """A connection of a database's owner that stays open, each statement a transaction."""
        if name not in self._owners:
            url = self.database_url(name, "owner").replace("+psycopg", "", 1)
            self._owners[name] = psycopg.connect(url, autocommit=True)
        return self._owners[name]

    def as_(self, who: str) -> httpx.Client:
        """A client with the token of a caller of credentials.json; nobody's where empty."""
        if who not in self._clients:
            headers = {}
            if who:
                headers["Authorization"] = f"Bearer {self.credentials[who]['token']}"
            self._clients[who] = httpx.Client(
                base_url=self.gateway, headers=headers, timeout=_CALL_SECONDS, trust_env=False
            )
        return self._clients[who]

    # -- what befalls the processes ---------------------------------------------------------

    def kill(self, process: str) -> int:
        """Ends a process (or `postgres`) by SIGKILL; the id it had."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop_process(self, process: str) -> int:
        """Freezes a process by SIGSTOP; its id, for `continue_process`."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGSTOP)
        return pid

    def continue_process(self, process: str) -> None:
        """Lets a frozen process go on."""
        os.kill(self.pid(process), signal.SIGCONT)

    @contextmanager
    def unattended(self) -> Iterator[None]:
        """Within, nobody starts again what ends: the supervisor is frozen."""
        self.supervisor.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.supervisor.send_signal(signal.SIGCONT)

    def await_back(self, process: str, killed: int) -> None:
        """Waits until a killed process runs under another id and all parts serve."""
        deadline = time.monotonic() + _BACK_SECONDS
        while not (self._runs_anew(process, killed) and self.healthy()):
            if time.monotonic() > deadline or self.supervisor.poll() is not None:
                raise SuiteFailed(f"{process} did not come back:\n{self.output}")
            time.sleep(0.05)

    def healthy(self) -> bool:
        """Whether /healthz says that every part serves."""
        try:
            return self.as_("").get("/healthz").status_code == 200
        except httpx.HTTPError:
            return False

    def _runs_anew(self, process: str, killed: int) -> bool:
        try:
            return self.pid(process) != killed
        except (FileNotFoundError, TypeError):
            return False

    # -- start and end ----------------------------------------------------------------------

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        supervisor = subprocess.Popen(
            # A pytest that is killed leaves no suite.
            launched(command, ended_by=signal.SIGTERM),
            cwd=self.home.parent,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            # A terminal's Ctrl-C is for pytest.
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not (self.home / "run.json").exists() or self.state["pid"] != supervisor.pid:
            late = time.monotonic() > deadline
            if late:
                supervisor.kill()
            if late or supervisor.poll() is not None:
                code = supervisor.wait()
                raise SuiteFailed(f"`qupia run` ended with exit code {code}:\n{self.output}", code)
            time.sleep(0.05)
        return supervisor

    def stop(self) -> int:
        """Stops the suite as a user does; the exit code. Its folder goes if it was made here."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
        try:
            return self.await_end()
        finally:
            self._leave()

    def await_end(self) -> int:
        """Waits until the suite has ended; the exit code."""
        try:
            return self.supervisor.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.supervisor.kill()
            self.supervisor.wait()
            raise SuiteFailed(f"`qupia run` did not stop:\n{self.output}") from None

    def _leave(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        for owner in self._owners.values():
            owner.close()
        self._owners.clear()
        self._output.close()
        if self._owns_home:
            shutil.rmtree(self.home.parent, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def home_with_databases(folder: Path) -> Path:
    """A suite's home below an open folder, for a start that has not to make databases first."""
    home = folder / "var"
    home.mkdir()
    # As `qupia run` does: PostgreSQL's account has to come through.
    home.chmod(0o711)
    put_cluster(home)
    return home


def suite_environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a suite of the tests'; `settings` go over the harness's own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("QUPIA_")}
    own = {
        "QUPIA_HOME": str(home),
        "QUPIA_HTTP_PORT": "0",
        "QUPIA_FSYNC": "off",
        "QUPIA_RESTART_SECONDS": "0.2",
        # All tests of a suite file with one credential: it is counted, and never reaches its limit.
        "QUPIA_CLAIMS_DAILY_SUBJECTS_PER_CREDENTIAL": "1000000",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")]),
    }
    return {**inherited, **own, **(settings or {})}


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document
