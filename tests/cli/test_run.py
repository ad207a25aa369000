# SPDX-License-Identifier: Apache-2.0
"""`qupia run`: from nothing to serving, what it survives, how it refuses, and how it ends."""

import json
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from cli.seed import PARTNERS
from cli.settings import run_settings
from services.chassis.config import ConfigError
from tests.harness.contacts import new_phone
from tests.harness.suite import Suite, SuiteFailed, open_folder
from tests.harness.waiting import wait_until

PROCESSES = {
    "vault": "python -m services.vault",
    "consent": "python -m services.consent",
    "claims": "python -m services.claims",
    "disclosure": "python -m services.disclosure",
    "gateway": "python -m gateway",
}
NAMES = {
    *("storefront", "otherStorefront", "courier", "otherCourier", "post", "telecom"),
    *("claimsOfficer", "secondClaimsOfficer", "privacyOfficer", "secondPrivacyOfficer"),
    *("keyCustodian", "auditor", "otherPrivacyOfficer"),
}
READ = {"purpose": "IDENTIFY_FOR_ORDER"}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A suite's folder after a first start, for suites one after another."""
    folder = open_folder()
    with Suite(home=folder / "var"):
        pass
    yield folder / "var"
    shutil.rmtree(folder)


def _read(suite: Suite, subject_id: str) -> httpx.Response:
    return suite.as_("storefront").post(f"/v1/subjects/{subject_id}/data:read", json=READ)


def _forget(home: Path, name: str) -> None:
    """A home as it was made before the development suite had somebody of this name."""
    path = home / "credentials.json"
    document = json.loads(path.read_text("utf-8"))
    del document["credentials"][name]
    path.write_text(json.dumps(document), "utf-8")


def test_every_process_has_its_name_its_socket_and_its_log(suite: Suite) -> None:
    for process, title in PROCESSES.items():
        assert " ".join(psutil.Process(suite.pid(process)).cmdline()).strip() == title
        assert "qupia_" in suite.metrics(process)
        assert "Traceback" not in suite.log(process)
    for process in PROCESSES.keys() - {"gateway"}:
        path = Path(suite.target(process).removeprefix("unix:"))
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_only_the_gateway_listens_on_a_port_and_on_this_machine_only(suite: Suite) -> None:
    for process in PROCESSES:
        found = [
            connection.laddr.ip
            for connection in psutil.Process(suite.pid(process)).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert found == (["127.0.0.1"] if process == "gateway" else [])


def test_what_is_secret_is_for_the_owner_only(suite: Suite) -> None:
    closed = ["credentials.json", "run.json", "seed.json", "postgres-passwords.json"]
    for path in [suite.home / name for name in closed] + [
        *suite.home.glob("keys/*"),
        *suite.home.glob("log/*"),
        *suite.certificates.glob("*.key"),
    ]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in ("keys", "log", "certificates"):
        assert stat.S_IMODE((suite.home / folder).stat().st_mode) == 0o700


def test_credentials_name_every_caller_and_each_is_known(suite: Suite) -> None:
    assert suite.credentials.keys() == NAMES
    for name, credential in suite.credentials.items():
        answer = suite.as_(name).get("/v1/policies")
        assert answer.status_code == 200, (name, answer.text)
        partner = name in {"courier", "otherCourier", "post", "telecom"}
        assert ("recipientId" in credential) is partner


def test_recipients_of_every_kind_are_active(suite: Suite) -> None:
    ids = {suite.credentials[name]["recipientId"] for name in PARTNERS}
    path = "/v1/recipients?pageSize=100"
    listed = suite.as_("privacyOfficer").get(path).json()["recipients"]
    # Other tests of the same suite register recipients of their own.
    seeded = [r for r in listed if r["recipientId"] in ids]
    assert sorted(r["kind"] for r in seeded) == ["COURIER", "COURIER", "POSTAL", "TELECOM"]
    assert {r["state"] for r in seeded} == {"ACTIVE"}


@pytest.mark.long
def test_a_second_start_keeps_data_and_keys(home: Path) -> None:
    with Suite(home=home) as first:
        subject_id = first.new_subject({"givenName": "Нұрсұлтан", "phone": new_phone()})
        credentials = first.credentials
        address = first.gateway
    _forget(home, "secondClaimsOfficer")
    with Suite(home=home) as second:
        assert _read(second, subject_id).json()["data"]["givenName"] == "Нұрсұлтан"
        for name in ("storefront", "courier"):
            assert second.credentials[name] == credentials[name]
        # People's tokens end after a day: they are renewed.
        assert second.credentials["auditor"] != credentials["auditor"]
        assert second.credentials.keys() == NAMES, "an older home learns who came since"
        assert second.gateway != address


@pytest.mark.long
def test_a_killed_process_starts_again_and_nothing_is_lost(home: Path) -> None:
    with Suite(home=home) as own:
        subject_id = own.new_subject({"givenName": "Нұрсұлтан"})
        for process in PROCESSES:
            own.await_back(process, own.kill(process))
            assert _read(own, subject_id).status_code == 200
            assert f"{process} was killed by SIGKILL; it starts again in 0.2 s" in own.output
            assert f"{process} serves again" in own.output


@pytest.mark.deep
def test_a_killed_database_starts_again_with_everything(home: Path) -> None:
    with Suite(home=home) as own:
        subject_id = own.new_subject({"givenName": "Нұрсұлтан"})
        own.await_back("postgres", own.kill("postgres"))
        assert _read(own, subject_id).status_code == 200
        assert "PostgreSQL ended; everything starts again" in own.output


@pytest.mark.deep
def test_without_restarts_what_ended_stays_ended(home: Path) -> None:
    # Settings of the processes that the suite does not decide reach them.
    settings = {"QUPIA_GATEWAY_AT_ONCE": "7", "QUPIA_VAULT_WORKERS": "3"}
    with Suite({"QUPIA_RESTART_SECONDS": "never", **settings}, home=home) as own:
        own.kill("claims")
        wait_until(
            lambda: own.state["processes"]["claims"]["pid"] is None and not own.healthy(),
            "the end of a process was not noticed",
        )
        assert "claims was killed by SIGKILL\n" in own.output


def test_a_second_suite_in_the_same_folder_is_refused_and_harms_nothing(suite: Suite) -> None:
    before = suite.state
    with pytest.raises(SuiteFailed, match="another `qupia run`") as refused:
        Suite(home=suite.home)
    assert refused.value.code == 69
    assert f"process {suite.supervisor.pid}" in str(refused.value)
    assert suite.state == before
    assert suite.healthy()


@pytest.mark.deep
def test_two_suites_run_side_by_side(suite: Suite, home: Path) -> None:
    with Suite(home=home) as other:
        subject_id = other.new_subject({"givenName": "Нұрсұлтан"})
        assert _read(other, subject_id).status_code == 200
        assert _read(suite, subject_id).status_code == 404
        foreign = {"Authorization": f"Bearer {other.credentials['storefront']['token']}"}
        answer = suite.as_("").get("/v1/policies", headers=foreign)
        assert answer.status_code == 401


@pytest.mark.long
def test_a_port_in_use_is_said_and_nothing_is_left_behind(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SuiteFailed, match=f"port {port} cannot be had") as refused:
            Suite({"QUPIA_HTTP_PORT": str(port)}, home=home)
    assert refused.value.code == 69
    assert "QUPIA_HTTP_PORT" in str(refused.value)
    assert not (home / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("QUPIA_HTPP_PORT", "8080", "htpp_port: no such key; did you mean http_port"),
        ("QUPIA_HTTP_PORT", "eighty", "http_port"),
        ("QUPIA_RESTART_SECONDS", "-1", "QUPIA_RESTART_SECONDS"),
        ("QUPIA_RESTART_SECONDS", "nan", "QUPIA_RESTART_SECONDS"),
        ("QUPIA_FSYNC", "perhaps", "fsync"),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run_settings({key: value})


@pytest.mark.long
def test_a_setting_that_the_suite_decides_is_refused(home: Path) -> None:
    with pytest.raises(SuiteFailed, match="the port is QUPIA_HTTP_PORT") as refused:
        Suite({"QUPIA_GATEWAY_LISTEN": "0.0.0.0:80"}, home=home)
    assert refused.value.code == 78
    assert "Traceback" not in str(refused.value)
    assert not (home / "postgres" / "postmaster.pid").exists()


@pytest.mark.long
def test_a_process_that_cannot_start_is_quoted_and_all_the_others_end(home: Path) -> None:
    with pytest.raises(SuiteFailed, match="vault ended with exit code 78") as refused:
        Suite({"QUPIA_VAULT_WROKERS": "8"}, home=home)
    assert refused.value.code == 69
    assert "wrokers: no such key; did you mean workers?" in str(refused.value)
    assert not (home / "postgres" / "postmaster.pid").exists()
    assert not (home / "run.json").exists()
