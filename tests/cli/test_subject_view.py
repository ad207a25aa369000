# SPDX-License-Identifier: Apache-2.0
"""`qupia subject export`: an officer hands a code over, and with it all is saved and verified."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from tests.harness.suite import Suite
from tests.matrix.things import new_data

IDENTIFIED = ("--identified-by", "IDENTITY_DOCUMENT", "--reference", "register:9")


@pytest.fixture
def qupia(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command, for the suite that runs."""
    for name in ("QUPIA_GATEWAY", "QUPIA_TOKEN", "QUPIA_TOKEN_FILE", "QUPIA_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))
    return CliRunner()


def test_a_code_is_handed_over_and_opens_all_there_is_once(
    suite: Suite, qupia: CliRunner, tmp_path: Path
) -> None:
    """T-6.1.3-a"""
    data = new_data()
    subject = suite.new_subject(data)
    suite.new_claim(subject)
    handed = qupia.invoke(app, ["subject", "export", subject, *IDENTIFIED, "--json"])
    assert handed.exit_code == 0, handed.output
    code = json.loads(handed.stdout)["code"]
    asked = ["subject", "export", subject, "--code", "-", "--out", str(tmp_path), "--json"]
    saved = qupia.invoke(app, asked, input=f"{code}\n")
    assert saved.exit_code == 0, saved.output
    files = [Path(name) for name in json.loads(saved.stdout)["files"]]
    kinds = {path.suffix: path for path in files}
    assert set(kinds) == {".json", ".sig", ".pdf", ".pem"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert not any(subject in path.name for path in files)
    told = json.loads(kinds[".json"].read_text("utf-8"))
    values = {item["field"]: item["value"] for item in told["subjects"][0]["data"]}
    assert values == data
    assert kinds[".pdf"].read_bytes().startswith(b"%PDF-")
    verify = ["subject", "verify", str(kinds[".json"]), str(kinds[".sig"]), str(kinds[".pem"])]
    assert qupia.invoke(app, verify).exit_code == 0
    kinds[".json"].write_bytes(kinds[".json"].read_bytes().replace(b"BLOCKED", b"ACTIVE"))
    assert qupia.invoke(app, verify).exit_code == 1
    again = qupia.invoke(app, asked, input=f"{code}\n")
    assert again.exit_code not in (0, 2)
    assert "UNAUTHENTICATED" in again.output


def test_no_code_is_handed_over_without_identification(suite: Suite, qupia: CliRunner) -> None:
    """T-6.1.3-a"""
    subject = suite.new_subject()
    assert qupia.invoke(app, ["subject", "export", subject]).exit_code == 2
    wrong = ["subject", "export", subject, "--identified-by", "FACE", "--reference", "r:1"]
    refused = qupia.invoke(app, wrong)
    assert refused.exit_code == 1
    assert "identification.method" in refused.output
