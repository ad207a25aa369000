# SPDX-License-Identifier: Apache-2.0
"""docs/partners.md: what a partner pastes works, and its receipts verify offline (clause 5.2)."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import verify
from cli.demo_couriers import demo_couriers
from tests.harness.suite import Suite
from tests.policy.person import DATA, Person
from tests.policy.site import Site, new_site

PAGE = (Path(__file__).parents[1] / "docs" / "partners.md").read_text("utf-8")


@pytest.fixture
def own_site(suite: Suite) -> Iterator[Site]:
    """A site for one test, with a policy in force."""
    with new_site(suite) as made:
        yield made


@pytest.fixture
def person(own_site: Site) -> Person:
    """Somebody whose data were placed."""
    return own_site.person(DATA)


def _block(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(block)


def _environment(site: Site) -> dict[str, str]:
    key = site.conversation.credentials["courier"]["token"]
    return {"PATH": os.environ["PATH"], "QUPIA": site.suite.gateway, "KEY": key, "NO_PROXY": "*"}


def _outcomes(site: Site, folder: Path) -> dict[str, dict[str, Any]]:
    """What the pasted client prints, by delivery."""
    script = folder / "client.py"
    script.write_text(_block("python"), "utf-8")
    ran = subprocess.run(
        [sys.executable, str(script)],
        env=_environment(site),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {line["deliveryId"]: line for line in lines}


def test_the_pasted_client_releases_a_manifest_and_takes_a_refusal(
    own_site: Site, tmp_path: Path
) -> None:
    people = [own_site.person(DATA) for _ in range(3)]
    deliveries = [person.assigned() for person in people]
    people[1].claimed()
    told = _outcomes(own_site, tmp_path)
    assert set(told) == set(deliveries)
    assert [bool(told[each].get("released")) for each in deliveries] == [True, False, True]
    problem = told[deliveries[1]]["problem"]
    assert problem["code"] == "NOT_AVAILABLE"
    line = own_site.good("claimsOfficer", "GET", f"/v1/disclosures/{problem['reference']}").json
    assert line["disclosure"]["reason"] == "SUBJECT_BLOCKED"


def test_the_pasted_client_says_plainly_that_its_key_is_wrong(
    own_site: Site, tmp_path: Path
) -> None:
    own_site.person(DATA).assigned()
    script = tmp_path / "client.py"
    script.write_text(_block("python"), "utf-8")
    ran = subprocess.run(
        [sys.executable, str(script)],
        env=_environment(own_site) | {"KEY": "qk_bad"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("refused: UNAUTHENTICATED ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_pasted_curl_lines_work(own_site: Site) -> None:
    delivery = own_site.person(DATA).assigned()
    ran = subprocess.run(
        ["bash", "-e", "-c", _block("sh")],
        env=_environment(own_site) | {"DELIVERY": delivery},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    listed, released, manifest, keys = (json.loads(line) for line in ran.stdout.splitlines())
    assert [each["deliveryId"] for each in listed["deliveries"]] == [delivery]
    assert released["details"]["phone"].startswith("+7")
    (outcome,) = manifest["outcomes"]
    assert outcome["released"]["firstReleaseId"] == released["releaseId"]
    assert keys["keys"][0]["crv"] == "Ed25519"


def test_a_receipt_is_checked_offline_and_other_details_do_not_hold(
    person: Person, tmp_path: Path
) -> None:
    delivery = person.assigned()
    released = person.site.good("courier", "POST", f"/v1/deliveries/{delivery}:release", {}).json
    keys = person.site.good("courier", "GET", "/v1/signing-keys/disclosure").json
    files = {
        "receipt": released["receipt"],
        "details": json.dumps(released["details"], ensure_ascii=False),
        "others": json.dumps({**released["details"], "phone": "+77010000000"}),
        "keys": json.dumps(keys),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")

    def run(receipt: str, details: str, keys: str = "keys") -> int:
        asked = ["receipt", str(tmp_path / receipt), "--details", str(tmp_path / details)]
        return CliRunner().invoke(verify.app, [*asked, "--keys", str(tmp_path / keys)]).exit_code

    assert run("receipt", "details") == 0
    assert run("receipt", "others") == 1
    head, claims, signature = released["receipt"].split(".")
    (tmp_path / "forged").write_text(f"{head}.{claims[:-2]}AA.{signature}")
    assert run("forged", "details") == 1
    for number, text in enumerate(("{}", "[]", "MQ.MQ.MQ", "7")):
        other = f"other-{number}"
        (tmp_path / other).write_text(text)
        assert run("receipt", "details", other) == 2, text
        assert run("receipt", other) in (1, 2), text
        assert run(other, "details") in (1, 2), text


def test_the_morning_of_three_partners_is_played_to_its_end(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.ensure_policy()
    assert demo_couriers(suite.home / "credentials.json", 4) == 0
    said = capsys.readouterr().out
    assert "a morning of three partners" in said
    assert "complaint: 1, given to another: 1, cancelled: 1" in said
