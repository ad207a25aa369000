# SPDX-License-Identifier: Apache-2.0
"""docs/claims.md, walked through as it stands: a claim from receipt to court, and an incident."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.running import ROOT
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.long

GUIDE = ROOT / "docs" / "claims.md"
_BLOCK = re.compile(r"<!-- walk: ([a-z-]+) -->\n```sh\n(.*?)```", re.DOTALL)
STEPS = dict(_BLOCK.findall(GUIDE.read_text("utf-8")))
_DONE = "this step is done"


class Walk:
    """One shell that steps of the guide are pasted into; what they set stays for the next."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        # What a reader has: a suite that runs, and the checkout as the working directory.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("QUPIA_")}
        environment["QUPIA_HOME"] = str(suite.home)
        self._shell = subprocess.Popen(
            ["/bin/sh", "-u"],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def step(self, name: str) -> str:
        """A step of the guide, each of whose commands has to end well; what it printed."""
        return self._run(f"set -e\n{STEPS.pop(name)}")

    def variable(self, name: str) -> str:
        """What the guide has put into a variable."""
        return self._run(f'echo "${name}"').strip()

    def _run(self, script: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{script}\necho {_DONE}\n")
        self._shell.stdin.flush()
        told = ""
        for line in self._shell.stdout:
            if line == f"{_DONE}\n":
                return told
            told += line
        raise AssertionError(f"the shell ended: {told}")

    def close(self) -> None:
        """End the shell."""
        with self._shell:
            self._shell.kill()

    def state(self, name: str) -> str:
        """Where a claim of the guide stands."""
        path = f"/v1/claims/{self.variable(name)}"
        return str(self.suite.as_("claimsOfficer").get(path).json()["claim"]["state"])


@pytest.fixture
def walk(suite: Suite) -> Iterator[Walk]:
    """A shell beside a suite."""
    made = Walk(suite)
    yield made
    made.close()


def test_the_guide_takes_a_claim_from_receipt_to_court(walk: Walk) -> None:
    walk.step("shell")
    walk.step("things")
    claim, folder = walk.variable("CLAIM"), Path(walk.variable("FOLDER"))
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
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        assert "index.html" in bundle.namelist()
        assert json.loads(bundle.read("claim.json"))["state"] == "NO_ANSWER"
    told = walk.step("incident")
    assert "EMPLOYEE_ERROR" in told
    assert (folder / "notice.pdf").read_bytes().startswith(b"%PDF-")
    assert STEPS == {}, "every step of the guide is walked"
    shutil.rmtree(folder)
