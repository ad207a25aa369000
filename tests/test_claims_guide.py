# SPDX-License-Identifier: Apache-2.0
"""docs/claims.md, walked through as it stands: a claim from receipt to court, and an incident."""

import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.harness.running import ROOT
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

GUIDE = ROOT / "docs" / "claims.md"
_BLOCK = re.compile(r"<!-- walk: ([a-z-]+) -->\n```sh\n(.*?)```", re.DOTALL)
STEPS = dict(_BLOCK.findall(GUIDE.read_text("utf-8")))
# What the guide leaves to jq or to the eye: a member of the JSON on stdin, a document's id.
_MEMBER = """import functools, json, sys
found = json.load(sys.stdin)
print(functools.reduce(lambda part, name: part[name], sys.argv[1].split("."), found))
"""
_DOCUMENT = """import json, sys
documents = json.load(sys.stdin)["documents"]
print(next(each["documentId"] for each in documents if each["kind"] == sys.argv[1]))
"""
_HEAD = """
qupia() { "$PYTHON" -m cli "$@"; }
member() { "$PYTHON" -c "$MEMBER" "$1"; }
document() { "$PYTHON" -c "$DOCUMENT" "$1"; }
"""


class Walk:
    """Runs steps of the guide; only the names of its claims are the test's own."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self.suite = suite
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("QUPIA_")
        } | {
            "FOLDER": str(folder),
            "PYTHON": sys.executable,
            "MEMBER": _MEMBER,
            "DOCUMENT": _DOCUMENT,
            "QUPIA_HOME": str(suite.home),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        }

    def step(self, name: str) -> str:
        """A step of the guide, which has to end well; what it printed."""
        done = subprocess.run(
            ["/bin/sh", "-euc", _HEAD + STEPS.pop(name)],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def file(self, name: str, **members: Any) -> str:
        """A claim by the person, or by an officer from paper; the guide calls it `name`."""
        claim = {
            "subjectIds": [self.environment["SUBJECT"]],
            "kind": "CONSUMER",
            "claimant": "SUBJECT",
            "statement": "Телефон указан неверно.",
            "demand": "Исправить.",
            "language": "ru",
            **members,
        }
        who = "claimsOfficer" if "receiptTime" in claim else "storefront"
        filed = self.suite.as_(who).post("/v1/claims", json={"claim": claim})
        assert filed.status_code == 200, filed.text
        self.environment[name] = str(filed.json()["claim"]["claimId"])
        return self.environment[name]

    def state(self, name: str) -> str:
        """Where a claim of the guide stands."""
        path = f"/v1/claims/{self.environment[name]}"
        return str(self.suite.as_("claimsOfficer").get(path).json()["claim"]["state"])


@pytest.mark.usefixtures("suite")
def test_the_guide_takes_a_claim_from_receipt_to_court(suite: Suite, tmp_path: Path) -> None:
    suite.ensure_policy()
    walk = Walk(suite, tmp_path)
    walk.environment["SUBJECT"] = suite.new_subject(new_data())
    address = "nursultan@example.kz"
    claim = walk.file("CLAIM", kind="INACCURATE_DATA", replyAddress=address)
    walk.file("POSTED")
    long_ago = (datetime.now(UTC) - timedelta(days=90)).isoformat()
    walk.file("LATE", receiptTime=long_ago)

    shown = walk.step("receive")
    assert claim in shown
    assert "claim.assigned" in shown
    assert "Телефон указан неверно." in walk.step("work")
    assert "INACCURATE_CONFIRMED" in walk.step("verify")
    walk.step("answer")
    wait_until(lambda: walk.state("CLAIM") == "ANSWERED", "the letter leaves")
    assert "ANSWERED" in walk.step("post")
    wait_until(lambda: walk.state("LATE") == "NO_ANSWER", "the term has passed")
    assert "claim.lapsed" in walk.step("late")
    walk.step("court")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert "index.html" in bundle.namelist()
        assert json.loads(bundle.read("claim.json"))["state"] == "NO_ANSWER"
    told = walk.step("incident")
    assert "EMPLOYEE_ERROR" in told
    assert (tmp_path / "notice.pdf").read_bytes().startswith(b"%PDF-")
    assert STEPS == {}, "every step of the guide is walked"
