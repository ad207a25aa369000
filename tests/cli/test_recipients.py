# SPDX-License-Identifier: Apache-2.0
"""`qupia recipients`: two officers let a courier in; its key lives until it is revoked (6.2.2)."""

import json
import secrets
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.harness.suite import Suite


@pytest.fixture
def qupia(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command, for the suite that runs."""
    for name in ("QUPIA_GATEWAY", "QUPIA_TOKEN", "QUPIA_TOKEN_FILE", "QUPIA_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))
    monkeypatch.setenv("QUPIA_GATEWAY_DATABASE_URL", suite.database_url("gateway"))
    return CliRunner()


def _run(qupia: CliRunner, *arguments: str) -> Result:
    return qupia.invoke(app, ["recipients", *arguments, "--json"])


def _good(qupia: CliRunner, *arguments: str) -> Any:
    done = _run(qupia, *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def _register(qupia: CliRunner, *more: str) -> str:
    terms = ("--kind", "COURIER", "--name", "ТОО «Жедел»", "--bin", "181140010008")
    made = _good(qupia, "register", *terms, "--agreement", "ДГ-2026/7", *more)
    assert made["recipient"]["state"] == "REGISTERED"
    return str(made["recipient"]["recipientId"])


def _lists(suite: Suite, key: str) -> int:
    """The status that the holder of a key gets for its deliveries."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{suite.gateway}/v1/deliveries", headers=headers, trust_env=False).status_code


def test_a_courier_is_let_in_by_two_and_its_keys_are_issued_rotated_and_revoked(
    suite: Suite, qupia: CliRunner
) -> None:
    """T-6.2.2-a"""
    recipient_id = _register(qupia)
    alone = _run(qupia, "activate", recipient_id, "--as", "privacyOfficer")
    assert alone.exit_code not in (0, 2), "whoever registered it does not let it in"
    active = _good(qupia, "activate", recipient_id)["recipient"]
    assert active["state"] == "ACTIVE"
    principal = f"zhedel-{secrets.token_hex(4)}"
    issue = ("issue-key", recipient_id, "--site", "demo", "--principal", principal)
    first = _good(qupia, *issue)
    assert _run(qupia, *issue).exit_code not in (0, 2), "a second one is a rotation"
    second = _good(qupia, "rotate-key", principal)
    assert [_lists(suite, each["token"]) for each in (first, second)] == [200, 200]
    _good(qupia, "revoke-key", first["credentialId"])
    assert [_lists(suite, each["token"]) for each in (first, second)] == [401, 200]
    assert _good(qupia, "suspend", recipient_id)["recipient"]["state"] == "SUSPENDED"
    listed = {r["recipientId"]: r["state"] for r in _good(qupia, "list")["recipients"]}
    assert listed[recipient_id] == "SUSPENDED"


def test_new_terms_wait_for_another_officer(qupia: CliRunner) -> None:
    """T-5.2-b"""
    recipient_id = _register(qupia)
    _good(qupia, "activate", recipient_id)
    sha256 = secrets.token_hex(32)
    terms = ("--agreement", "ДГ-2027/1", "--from", "2027-01-01", "--certificate-sha256", sha256)
    proposed = _good(qupia, "renew", recipient_id, *terms)["recipient"]
    assert (proposed["agreement"], proposed["renewal"]["agreement"]) == ("ДГ-2026/7", "ДГ-2027/1")
    renewed = _good(qupia, "activate", recipient_id)["recipient"]
    assert (renewed["agreement"], renewed["certificateSha256"]) == ("ДГ-2027/1", sha256)
    assert not renewed.get("renewal")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--kind", "COURIER", "--name", "x", "--bin", "1", "--agreement", "x"), "bin"),
        (("--kind", "COURIER", "--name", " ", "--bin", "181140010008", "--agreement", "x"), "Name"),
    ],
    ids=["no BIN", "no name"],
)
def test_what_is_wrong_with_a_registration_is_named(
    qupia: CliRunner, arguments: tuple[str, ...], field: str
) -> None:
    refused = _run(qupia, "register", *arguments)
    assert refused.exit_code not in (0, 2)
    assert field in refused.output


def test_no_other_kind_can_be_asked_for(qupia: CliRunner) -> None:
    """T-6.2.2-a"""
    terms = ("--kind", "BANK", "--name", "x", "--bin", "181140010008", "--agreement", "x")
    assert _run(qupia, "register", *terms).exit_code == 2
