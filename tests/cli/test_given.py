# SPDX-License-Identifier: Apache-2.0
"""What people type or pipe in and is none of what is asked for: it is said so, as wrong usage."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.exit_codes import USAGE
from tests.cli.test_office import gateway
from tests.harness.running import ROOT

UUID = "01a21877-c7ee-7039-90c9-f62bf357588f"
ELSEWHERE = {"QUPIA_GATEWAY": "http://127.0.0.1:1", "QUPIA_TOKEN": "t"}
NO_TEXT = b"\xff\xfe\x00 no text"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that nobody listens at: who asks it is answered 69."""
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("given", ["a\nb", "../../x", "", "2026-00001", f"{UUID}/x", f"{UUID}\n"])
@pytest.mark.parametrize(
    "command",
    [
        ("claims", "show", "?"),
        ("claims", "assign", "?"),
        ("claims", "read", UUID, "?"),
        ("incidents", "show", "?"),
        ("incidents", "notice", "?", "--sent", "x"),
        ("requests", "show", "?"),
        ("requests", "reject", "?", "--reason", "x"),
        ("authorities", "activate", "?"),
        ("recipients", "suspend", "?"),
        ("recipients", "activate", "?"),
        ("subject", "destruction", "?"),
        ("subject", "destroy", "?"),
    ],
    ids=" ".join,
)
def test_what_is_no_id_never_becomes_a_path(command: tuple[str, ...], given: str) -> None:
    done = CliRunner().invoke(app, [given if word == "?" else word for word in command])
    assert done.exit_code == USAGE, done.output
    assert done.stderr.count("Invalid value for") == 1
    assert repr(given)[:10] in done.stderr


@pytest.mark.parametrize("from_stdin", [True, False], ids=["stdin", "file"])
@pytest.mark.parametrize(
    "command",
    [
        ("claims", "note", UUID, "--text"),
        ("incidents", "register", "LOST", "EMPLOYEE_ERROR", "--text"),
        ("requests", "submit"),
    ],
    ids=" ".join,
)
def test_bytes_that_are_no_text_are_said_to_be_none(
    command: tuple[str, ...], from_stdin: bool, tmp_path: Path
) -> None:
    file = tmp_path / "words"
    file.write_bytes(NO_TEXT)
    # A process: how Python opens stdin is part of it.
    done = subprocess.run(
        [sys.executable, "-m", "cli", *command, "-" if from_stdin else str(file)],
        env={**ELSEWHERE, "PYTHONPATH": ".:protos", "COLUMNS": "200"},
        cwd=ROOT,
        input=NO_TEXT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == USAGE, done.stderr.decode()
    assert b"cannot be read as" in done.stderr
    assert b"Traceback" not in done.stderr


def test_words_from_stdin_are_sent_as_those_of_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = "Клиенту позвонили,\r\nдоговор проверен.\n"
    file = tmp_path / "words"
    file.write_bytes(words.encode())
    with gateway() as server:
        monkeypatch.setenv("QUPIA_GATEWAY", server.url)
        monkeypatch.setenv("QUPIA_TOKEN", "t")
        for text in ("-", str(file)):
            done = CliRunner().invoke(app, ["claims", "note", UUID, "--text", text], input=words)
            assert done.exit_code == 0, done.output
    assert [json.loads(body) for body in server.bodies] == [
        {"text": "Клиенту позвонили,\nдоговор проверен."}
    ] * 2


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "arguments",
    [
        ("claims", "assign", UUID, "--officer", "\udcff"),
        ("claims", "list", "--state", "\udcff"),
        ("claims", "list", "--state", "x" * 70_000),
    ],
    ids=["body", "query", "long"],
)
def test_what_cannot_be_sent_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == USAGE, done.output
    assert "something that was given" in done.stderr
