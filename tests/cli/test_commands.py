# SPDX-License-Identifier: Apache-2.0
"""The other commands: the story told, tokens, keys, migrations and the contract's table."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from services.chassis.contract import load_contract
from tests.harness.suite import Suite

Command = Callable[..., Result]
DATABASES = ("consent", "vault", "keystore", "disclosure", "claims", "gateway")


@pytest.fixture
def command(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `qupia` beside the running suite."""
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_the_demo_tells_all_twelve_steps(command: Command) -> None:
    told = command("demo")
    assert told.exit_code == 0, told.output
    for number in range(1, 13):
        assert f"\n{number}. " in told.output
    assert "The story holds: 12 steps" in told.output
    assert "refused: SUBJECT_BLOCKED  (clause 6.2.3)" in told.output


def test_without_a_suite_the_demo_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUPIA_HOME", str(tmp_path))
    told = CliRunner().invoke(app, ["demo"])
    assert told.exit_code == 69
    assert "make run" in told.output


def test_after_the_story_all_records_agree(
    own_suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the shared suite's records some tests change a few behind the services' backs.
    monkeypatch.setenv("QUPIA_HOME", str(own_suite.home))
    assert command("demo").exit_code == 0
    assert own_suite.new_claim(own_suite.new_subject({"givenName": "Нұрлан"}))
    checked = command("fsck", "--json")
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.output)["clean"] is True


def test_a_fresh_token_opens_what_its_person_may_do(suite: Suite, command: Command) -> None:
    token = command("token", "auditor", "--hours", "1").output.strip()
    headers = {"Authorization": f"Bearer {token}"}
    answer = suite.as_("").get("/v1/recipients", headers=headers)
    assert answer.status_code == 200
    body = {"texts": [{"language": "ru", "title": "Политика", "body": "Текст"}]}
    refused = suite.as_("").post("/v1/policies", headers=headers, json=body)
    assert refused.status_code == 403


def test_a_token_of_nobody_is_refused_with_the_names_there_are(command: Command) -> None:
    refused = command("token", "director")
    assert refused.exit_code == 2
    assert "claimsOfficer" in refused.output


def test_keys_are_issued_and_revoked_beside_a_running_suite(suite: Suite, command: Command) -> None:
    options = ("--site", "demo", "--role", "STOREFRONT", "--principal", "shop-web", "--json")
    issued = json.loads(command("credentials", "issue", *options).output)
    headers = {"Authorization": f"Bearer {issued['token']}"}
    assert suite.as_("").get("/v1/policies", headers=headers).status_code == 200
    assert command("credentials", "revoke", issued["credentialId"]).exit_code == 0
    assert suite.as_("").get("/v1/policies", headers=headers).status_code == 401


def test_a_migrated_database_is_up_to_date(
    suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in DATABASES:
        monkeypatch.setenv(f"QUPIA_{name.upper()}_OWNER_URL", suite.database_url(name, "owner"))
    migrated = command("migrate")
    assert migrated.exit_code == 0, migrated.output
    assert migrated.output.count("up to date") == len(DATABASES)


def test_a_migration_that_lacks_an_owner_or_reaches_none_says_so(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = command("migrate", "vault")
    assert missing.exit_code == 78
    assert "QUPIA_VAULT_OWNER_URL" in missing.output
    assert command("migrate", "vualt").exit_code == 78
    url = "postgresql://vault_owner:geheim@/vault?host=/nowhere"
    monkeypatch.setenv("QUPIA_VAULT_OWNER_URL", url)
    unreachable = command("migrate", "vault")
    assert unreachable.exit_code == 69
    assert "geheim" not in unreachable.output


def test_the_contract_is_printed_rpc_by_rpc(command: Command) -> None:
    lines = command("contract").output.splitlines()
    methods = load_contract().methods.values()
    assert len(lines) == 1 + len(methods)
    for method in methods:
        name = f"{method.service.rpartition('.')[2]}.{method.name}"
        row = next(line for line in lines if f" {name} " in line)
        assert method.evidence in row
        assert row.endswith(" ".join(method.clauses))
