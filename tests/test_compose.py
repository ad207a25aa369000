# SPDX-License-Identifier: Apache-2.0
"""docker-compose.yml: valid, complete, closed but for the gateway, and without secrets in it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import GatewaySettings
from services.chassis.config import ConfigError, Settings, load_settings
from services.chassis.mail import MailSettings
from services.claims.__main__ import ClaimsSettings
from services.consent.__main__ import ConsentSettings
from services.disclosure.__main__ import DisclosureSettings
from services.vault.__main__ import VaultSettings

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
PROCESSES = {
    "consent": "services.consent",
    "vault": "services.vault",
    "disclosure": "services.disclosure",
    "claims": "services.claims",
    "gateway": "gateway",
}
SETTINGS: dict[str, type[Settings]] = {
    "consent": ConsentSettings,
    "vault": VaultSettings,
    "disclosure": DisclosureSettings,
    "claims": ClaimsSettings,
    "gateway": GatewaySettings,
}


def _schema_check(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(path)),
        ],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with its anchors resolved."""
    content = yaml.safe_load(COMPOSE.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def test_the_file_fits_the_compose_schema() -> None:
    checked = _schema_check(COMPOSE)
    assert checked.returncode == 0, checked.stdout


def test_a_misspelt_key_does_not_fit(tmp_path: Path) -> None:
    misspelt = tmp_path / "docker-compose.yml"
    misspelt.write_text(COMPOSE.read_text("utf-8").replace("read_only:", "readonly:", 1), "utf-8")
    assert _schema_check(misspelt).returncode != 0


def test_each_process_runs_its_own_module_from_the_one_image(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", "migrate", *PROCESSES}
    for process, module in PROCESSES.items():
        assert services[process]["command"] == ["python", "-m", module]
        assert services[process]["image"] == services["migrate"]["image"]
    assert services["migrate"]["build"]["args"].keys() == {"BASE_IMAGE"}


def test_no_process_is_root_or_writes_to_its_image(compose: dict[str, Any]) -> None:
    for name in ("migrate", *PROCESSES):
        service = compose["services"][name]
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text("utf-8").splitlines()


def test_only_the_gateway_is_reached_from_outside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    for name, service in compose["services"].items():
        outside = name == "gateway"
        assert ("ports" in service) is outside
        assert ("outside" in service["networks"]) is outside


def test_letters_reach_a_mail_relay_and_who_writes_them_nobody_else(
    compose: dict[str, Any],
) -> None:
    writers = {name for name, kind in SETTINGS.items() if issubclass(kind, MailSettings)}
    assert writers == {"vault", "claims"}
    for name, service in compose["services"].items():
        wanted = {"inside"} | ({"mail"} if name in writers else set())
        if name != "gateway":
            assert set(service["networks"]) == wanted, name
    # By a name that the relay's own file can use; without a way out of it.
    assert compose["networks"]["mail"] == {"name": "qupia-mail", "internal": True}
    told = (ROOT / "docs/operations.md").read_text("utf-8")
    assert "docker network connect qupia-mail" in told


def test_secrets_are_files_that_exist_nowhere_else(compose: dict[str, Any]) -> None:
    declared = compose["secrets"]
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == set(declared)
    for secret, source in declared.items():
        assert source == {"file": f"./deploy/secrets/{secret}"}
    for name, service in compose["services"].items():
        for key, value in service["environment"].items():
            assert "://" not in value, key
            if value.startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], (name, key)


def test_each_process_has_its_own_key_and_nobody_elses(compose: dict[str, Any]) -> None:
    for process in PROCESSES:
        keys = {s for s in compose["services"][process]["secrets"] if s.endswith(".key")}
        assert keys == {f"{process}.key"}


def test_what_a_service_waits_for_and_calls_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    listening = {
        f"{name}:{services[name]['environment'][f'QUPIA_{name.upper()}_LISTEN'].split(':')[1]}"
        for name in PROCESSES
    }
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services)
        for key, value in service["environment"].items():
            if key.rsplit("_", 1)[-1].lower() in PROCESSES:
                assert value in listening, (name, key)


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_knows_every_key_it_is_given(compose: dict[str, Any], process: str) -> None:
    given = {key: str(value) for key, value in compose["services"][process]["environment"].items()}
    given.pop("QUPIA_CONFIG")
    secrets = {f"QUPIA_{process.upper()}_DATABASE_URL": "postgresql://u:p@postgres/db"}
    if process == "vault":
        secrets["QUPIA_VAULT_KEY_STORE_URL"] = "postgresql://u:p@postgres/keystore"
    load_settings(SETTINGS[process], process, given | secrets)
    with pytest.raises(ConfigError):
        load_settings(SETTINGS[process], process, given | secrets | {f"{_prefix(process)}X": "1"})


def _prefix(process: str) -> str:
    return f"QUPIA_{process.upper()}_"
