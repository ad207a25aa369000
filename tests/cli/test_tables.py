# SPDX-License-Identifier: Apache-2.0
"""Lists on a narrow terminal: what an officer copies or plans by stands whole on one line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len
from rich.text import Text
from typer.testing import CliRunner

from cli.__main__ import app
from tests.harness.suite import Suite

Listed = Callable[[str, int], list[str]]
WIDTHS = (60, 80)


@pytest.fixture
def listed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Listed:
    """The lines of a list on a terminal of a width."""
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))

    def lines(command: str, width: int) -> list[str]:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(width))
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == 0, done.output
        return [Text.from_ansi(line).plain for line in done.stdout.splitlines()]

    return lines


def _json(suite: Suite, officer: str, path: str) -> Any:
    return suite.as_(officer).get(path).json()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_claims_number_and_day_stand_whole_in_their_line(
    suite: Suite, listed: Listed, width: int
) -> None:
    claim_id = suite.new_claim(suite.new_subject({"givenName": "Нұрлан"}))
    suite.as_("claimsOfficer").post(f"/v1/claims/{claim_id}:assign", json={})
    claim = _json(suite, "claimsOfficer", f"/v1/claims/{claim_id}")["claim"]
    lines = listed("claims list --limit 1000", width)
    mine = [line for line in lines if line.startswith(f"{claim['number']}  {claim['dueDate']} (")]
    assert len(mine) == 1
    assert "RECEIVED" in mine[0]
    assert max(map(cell_len, lines)) <= width
    assert "officer" not in lines[0]


def test_the_id_of_a_claim_is_in_json_only(
    suite: Suite, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim_id = suite.new_claim(suite.new_subject({"givenName": "Нұрлан"}))
    wide = listed("claims list --limit 1000", 200)
    assert {"enforcement", "officer"} <= set(wide[0].split())
    assert claim_id not in "".join(wide)
    monkeypatch.delenv("FORCE_COLOR")
    told = CliRunner().invoke(app, ["claims", "list", "--limit", "1000", "--json"])
    assert claim_id in {claim["claimId"] for claim in json.loads(told.stdout)["claims"]}


@pytest.mark.parametrize("width", WIDTHS)
def test_an_incidents_id_and_day_stand_whole_in_their_line(
    suite: Suite, listed: Listed, width: int
) -> None:
    said = {"kind": "DISCLOSED", "cause": "UNAUTHORISED_ACCESS", "description": "Утечка."}
    body = {"incident": {**said, "intent": "NOT_INTENTIONAL"}}
    made = suite.as_("privacyOfficer").post("/v1/incidents", json=body)
    assert made.status_code == 200, made.text
    incident = made.json()["incident"]
    for command in ("incidents list", "tasks"):
        lines = listed(command, width)
        (mine,) = [line for line in lines if incident["incidentId"] in line.split()]
        assert mine.startswith(f"{incident['noticeDueDate']} (")
        assert max(map(cell_len, lines)) <= width
