# SPDX-License-Identifier: Apache-2.0
"""`qupia authorities`, `qupia requests`: two officers let a body and its request through (5.3)."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.harness.suite import Suite
from tests.matrix.things import new_data

BIN = "000140002217"
_REFUSED, _USAGE = 1, 2


@pytest.fixture
def qupia(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command, for the suite that runs."""
    for name in ("QUPIA_GATEWAY", "QUPIA_TOKEN", "QUPIA_TOKEN_FILE", "QUPIA_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))
    return CliRunner()


@pytest.fixture
def person(suite: Suite) -> tuple[str, dict[str, Any]]:
    """Somebody with data; their id and the data."""
    data = new_data()
    return suite.new_subject(data), dict(data)


def _run(qupia: CliRunner, *arguments: str, text: str | None = None) -> Result:
    return qupia.invoke(app, list(arguments), input=text)


def _good(qupia: CliRunner, *arguments: str, text: str | None = None) -> Any:
    done = _run(qupia, *arguments, "--json", text=text)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def _body(qupia: CliRunner) -> str:
    """A state body that two officers let in."""
    terms = ("--name", "Полиция департаменті", "--bin", BIN)
    made = _good(qupia, "authorities", "register", *terms)["authority"]
    assert made["state"] == "REGISTERED"
    authority_id = str(made["authorityId"])
    alone = _run(qupia, "authorities", "activate", authority_id, "--as", "privacyOfficer")
    assert alone.exit_code == _REFUSED, "whoever registered it does not let it in"
    active = _good(qupia, "authorities", "activate", authority_id)["authority"]
    assert active["state"] == "ACTIVE"
    return authority_id


def _form(authority_id: str, subject_id: str, **more: object) -> dict[str, Any]:
    authorization = {
        "authorityId": authority_id,
        "official": {"name": "Сейітқалиев Ерлан", "position": "тергеуші"},
        "ground": {"kind": "COURT_ACT", "act": "ҚР ҚПК", "article": "122(1)"},
        "document": {
            "kind": "COURT_RULING",
            "number": "17-2026",
            "date": "2026-01-12",
            "sha256": hashlib.sha256(b"scan").hexdigest(),
        },
        "subjectId": subject_id,
        **more,
    }
    return {"authorization": authorization, "tasks": [{"category": c} for c in ("NAME", "PHONE")]}


def _submit(qupia: CliRunner, form: object) -> Any:
    return _good(qupia, "requests", "submit", "-", text=json.dumps(form))["request"]


def _pick_up(suite: Suite, code: str) -> httpx.Response:
    path, body = "/v1/authority-packages:pickUp", {"code": code, "bin": BIN}
    return httpx.post(suite.gateway + path, json=body, trust_env=False, timeout=20.0)


def test_a_request_goes_through_two_officers_to_the_officials_hands(
    suite: Suite, qupia: CliRunner, person: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    """T-5.3-b"""
    subject_id, data = person
    authority_id = _body(qupia)
    file = tmp_path / "request.json"
    file.write_text(json.dumps(_form(authority_id, subject_id)), "utf-8")
    request_id = _good(qupia, "requests", "submit", str(file))["request"]["requestId"]
    own = ("requests", "approve", request_id, "--category", "PHONE", "--as", "privacyOfficer")
    assert _run(qupia, *own).exit_code == _REFUSED, "whoever entered it does not approve it"
    early = _run(qupia, "requests", "release", request_id)
    assert early.exit_code == _REFUSED
    approved = _good(qupia, "requests", "approve", request_id, "--category", "PHONE")["request"]
    assert [each["state"] for each in approved["tasks"]] == ["REFUSED", "APPROVED"]
    shown = _good(qupia, "requests", "show", request_id)["request"]
    assert shown["authorization"]["official"]["position"] == "тергеуші"
    released = _good(qupia, "requests", "release", request_id)
    assert released["request"]["state"] == "READY"
    answered = _pick_up(suite, released["code"])
    assert answered.status_code == 200, answered.text
    with zipfile.ZipFile(io.BytesIO(answered.content)) as package:
        given = json.loads(package.read("data.json"))
    assert given["data"] == {"phone": data["phone"]}
    assert _pick_up(suite, released["code"]).status_code == 404
    listed = {r["requestId"]: r for r in _good(qupia, "requests", "list")["requests"]}
    assert listed[request_id]["state"] == "PICKED_UP"


def test_what_is_missing_is_named_and_nothing_is_entered(
    qupia: CliRunner, person: tuple[str, dict[str, Any]]
) -> None:
    """T-5.3-a"""
    form = _form(_body(qupia), person[0])
    del form["authorization"]["ground"]["article"]
    refused = _run(qupia, "requests", "submit", "-", text=json.dumps(form))
    assert refused.exit_code == _REFUSED
    assert "request.authorization.ground.article" in refused.output
    listed = _good(qupia, "requests", "list")["requests"]
    assert person[0] not in {each["authorization"]["subjectId"] for each in listed}


def test_a_rejected_request_is_counted_in_its_year_and_overdue_no_more(
    qupia: CliRunner, person: tuple[str, dict[str, Any]]
) -> None:
    authority_id = _body(qupia)
    request = _submit(qupia, _form(authority_id, person[0], dueDate="2026-01-13"))
    request_id = request["requestId"]
    overdue = {r["requestId"] for r in _good(qupia, "requests", "list", "--overdue")["requests"]}
    assert request_id in overdue
    table = _run(qupia, "requests", "list", "--due-before", "2026-01-13")
    assert (table.exit_code, "OVERDUE" in table.output) == (0, True)
    rejected = _good(qupia, "requests", "reject", request_id, "--reason", "Негіз жоқ")["request"]
    assert rejected["state"] == "REJECTED"
    overdue = {r["requestId"] for r in _good(qupia, "requests", "list", "--overdue")["requests"]}
    assert request_id not in overdue
    counts = _good(qupia, "requests", "statistics")["counts"]
    own = [each for each in counts if each["authorityId"] == authority_id]
    assert [(each["ground"], each["outcome"], each["count"]) for each in own] == [
        ("COURT_ACT", "REJECTED", 1)
    ]


def test_nothing_is_asked_for_by_a_body_that_was_suspended(
    qupia: CliRunner, person: tuple[str, dict[str, Any]]
) -> None:
    """T-5.3-a"""
    authority_id = _body(qupia)
    suspended = _good(qupia, "authorities", "suspend", authority_id)["authority"]
    assert suspended["state"] == "SUSPENDED"
    listed = {
        a["authorityId"]: a["state"] for a in _good(qupia, "authorities", "list")["authorities"]
    }
    assert listed[authority_id] == "SUSPENDED"
    form = json.dumps(_form(authority_id, person[0]))
    refused = _run(qupia, "requests", "submit", "-", text=form)
    assert refused.exit_code not in (0, _USAGE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("requests", "submit", "no-such-file.json"),
        ("requests", "approve", "01a21877-c7ee-7039-90c9-f62bf357588f"),
        ("authorities", "register", "--name", "x"),
    ],
    ids=["no file", "no category", "no BIN"],
)
def test_wrong_usage_asks_nobody(qupia: CliRunner, arguments: tuple[str, ...]) -> None:
    assert _run(qupia, *arguments).exit_code == _USAGE


def test_a_number_that_is_no_bin_is_named(qupia: CliRunner) -> None:
    refused = _run(qupia, "authorities", "register", "--name", "Орган", "--bin", "000140002218")
    assert refused.exit_code == _REFUSED
    assert "bin" in refused.output
