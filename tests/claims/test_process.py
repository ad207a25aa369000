# SPDX-License-Identifier: Apache-2.0
"""The claims process starts, serves over mutual TLS while the vault is away, and says what is
wrong where it cannot start."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.authority import ensure_certificates
from cli.layout import DEVELOPMENT_OPERATOR
from cli.postgres import DatabaseAccess
from qupia.claims.v1 import claims_pb2
from services.chassis.client import Client
from services.chassis.process import certificate_of
from services.chassis.refusal import PeerNotAllowed, Unauthenticated, Unavailable
from tests.harness.waiting import awaited

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder: a Unix socket's path has to fit."""
    with tempfile.TemporaryDirectory(prefix="qc-") as path:
        yield Path(path)


@pytest.fixture
def start(folder: Path, empty: DatabaseAccess) -> Iterator[Start]:
    """Starts the process with a configuration file and a changed setting or two."""
    ensure_certificates(folder, ["claims", "gateway", "consent"], datetime.now(UTC))
    (folder / "secret").write_bytes(os.urandom(32))
    (folder / "issuers.json").write_text(json.dumps({"issuers": []}))
    (folder / "sites.toml").write_text(DEVELOPMENT_OPERATOR)
    started: list[subprocess.Popen[str]] = []

    def run(**changed: str) -> "subprocess.Popen[str]":
        values = {
            "listen": f"unix:{folder}/claims.sock",
            "certificates": str(folder),
            "database_url": empty.runtime_url,
            "issuers": str(folder / "issuers.json"),
            "secret": str(folder / "secret"),
            "sites": str(folder / "sites.toml"),
            "vault": f"unix:{folder}/vault.sock",
            "consent": f"unix:{folder}/consent.sock",
            "disclosure": f"unix:{folder}/disclosure.sock",
            **changed,
        }
        config = folder / "claims.toml"
        config.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items()))
        environ = {k: v for k, v in os.environ.items() if not k.startswith("QUPIA_")}
        environ |= {"QUPIA_CONFIG": str(config), "PYTHONPATH": f"{ROOT}:{ROOT}/protos"}
        process = subprocess.Popen(
            [sys.executable, "-m", "services.claims"],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def _first_answer(client: Client) -> Exception:
    """How the process refuses a call without a credential, once it answers."""
    path = "/qupia.claims.v1.ClaimsService/ListClaims"

    def refused() -> Exception | None:
        try:
            client.call(path, claims_pb2.ListClaimsRequest(), claims_pb2.ListClaimsResponse, 1)
        except (Unauthenticated, PeerNotAllowed) as refusal:
            return refusal
        except Unavailable:
            pass
        return None

    return awaited(refused, "the process does not serve")


def test_the_process_serves_without_a_vault_and_ends_cleanly(folder: Path, start: Start) -> None:
    process = start()
    for peer, refusal in (("gateway", Unauthenticated), ("consent", PeerNotAllowed)):
        client = Client("claims", f"unix:{folder}/claims.sock", certificate_of(peer, folder))
        assert isinstance(_first_answer(client), refusal)
        client.close()
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "round failed" not in said
    assert "dispatcher failed" not in said


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"calender": "x"}, 78, "no such key; did you mean calendar?"),
        ({"calendar": "/nowhere/calendar.toml"}, 69, "/nowhere/calendar.toml"),
        ({"secret": "/nowhere/secret"}, 69, "secret"),
        ({"sites": "/nowhere/sites.toml"}, 78, "/nowhere/sites.toml"),
        ({"smtp_host": "mail.example.kz"}, 78, "mail_from"),
        ({"database_url": "postgresql://claims@/claims?host=/nowhere"}, 69, "cannot be reached"),
    ],
)
def test_the_process_says_why_it_cannot_start(
    start: Start, changed: dict[str, str], code: int, words: str
) -> None:
    process = start(**changed)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert words in said
    assert "Traceback" not in said
