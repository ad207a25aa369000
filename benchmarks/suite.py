# SPDX-License-Identifier: Apache-2.0
"""A whole suite of its own for a measurement, in a folder that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class RunningSuite:
    """A suite that serves: `run` is its var/run.json, `credentials` its tokens by name."""

    home: Path
    run: dict[str, Any]
    credentials: dict[str, Any]

    def post(self, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST as a credential; returns the answer. Raises httpx.HTTPStatusError."""
        return self._send("POST", who, path, body)

    def patch(self, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PATCH as a credential; returns the answer. Raises httpx.HTTPStatusError."""
        return self._send("PATCH", who, path, body)

    def _send(self, verb: str, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.credentials[who]['token']}"}
        answer = httpx.request(
            verb, self.run["gateway"] + path, json=body, headers=headers, timeout=10
        )
        answer.raise_for_status()
        return dict(answer.json())


@contextmanager
def running_suite() -> Iterator[RunningSuite]:
    """Start a suite on a free port, with durable writes, and end it."""
    home = Path(tempfile.mkdtemp(prefix="qupia-bench-"))
    home.chmod(0o755)
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "QUPIA_HOME": str(home),
        "QUPIA_HTTP_PORT": "0",
        "QUPIA_RESTART_SECONDS": "never",
        # One storefront files for all; it is counted, and never reaches its limit.
        "QUPIA_CLAIMS_DAILY_SUBJECTS_PER_CREDENTIAL": "1000000",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "run"],
        env=environ,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _await(home, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def _await(home: Path, process: subprocess.Popen[bytes]) -> RunningSuite:
    deadline = time.monotonic() + 60
    run, credentials = home / "run.json", home / "credentials.json"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the suite ended at its start; `make run` shows why")
        if run.exists() and credentials.exists():
            known = json.loads(credentials.read_text())
            return RunningSuite(home, json.loads(run.read_text()), known["credentials"])
        time.sleep(0.1)
    raise RuntimeError("the suite did not serve within 60 s; `make run` shows why")
