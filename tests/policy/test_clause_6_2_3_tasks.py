# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3: officers see all that is to do in one list, `qupia tasks`, by its last day."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.harness.waiting import wait_until
from tests.policy.incidents import registered
from tests.policy.person import DATA, release
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import authority, submitted


class Officer:
    """Whoever asks for the list."""

    def __init__(self, site: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._name, self._site, self._environment = name, site, monkeypatch

    def run(self, *more: str) -> Result:
        """The command."""
        self._environment.delenv("QUPIA_TOKEN_FILE", raising=False)
        self._environment.setenv("QUPIA_GATEWAY", self._site.suite.gateway)
        self._environment.setenv("QUPIA_TOKEN", self._site.token(self._name))
        done = CliRunner().invoke(app, ["tasks", *more])
        assert done.exit_code == 0, done.output
        return done

    def sees(self, *more: str) -> list[dict[str, Any]]:
        """What is to do."""
        tasks: list[dict[str, Any]] = json.loads(self.run("--json", *more).stdout)["tasks"]
        return tasks


def test_what_is_to_do_in_every_service_is_one_list_by_its_last_day(
    own_site: Site, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-6.2.3-a; Law 24(1)(3)"""
    person = own_site.person(DATA)
    assert release(own_site, person.assigned()).status == 200
    back = datetime.now(UTC) - timedelta(days=9)
    claim = person.claim(who="claimsOfficer", receipt=back).json["claim"]
    request = submitted(own_site.person(DATA), authority(own_site))
    incident = registered(own_site)
    told = "SELECT notice_id FROM notices WHERE site_id = :s"
    wait_until(lambda: bool(records.rows("disclosure", told, s=own_site.site_id)), "nobody is told")
    officer = Officer(own_site, "privacyOfficer", monkeypatch)
    assert "TELL_RECIPIENT" not in {each["kind"] for each in officer.sees()}, "it has a day for it"
    past = datetime.now(UTC) - timedelta(days=30)
    late = "UPDATE notices SET create_time = :t WHERE site_id = :s"
    records.change("disclosure", late, t=past, s=own_site.site_id)
    tasks = officer.sees()
    assert [each["dueDate"] for each in tasks] == sorted(each["dueDate"] for each in tasks)
    found = {each["kind"]: each for each in tasks}
    assert found.keys() == {
        "CONFIRM_RECEIPT_TIME",
        "TELL_RECIPIENT",
        "ANSWER_STATE_BODY",
        "NOTIFY_OF_INCIDENT",
    }
    assert tasks[0]["recipientId"] == own_site.recipients["courier"]
    assert found["CONFIRM_RECEIPT_TIME"]["claimId"] == claim["claimId"]
    assert found["ANSWER_STATE_BODY"]["authorityRequestId"] == request.request_id
    assert found["NOTIFY_OF_INCIDENT"]["incidentId"] == incident["incidentId"]
    first = officer.sees("--due-before", tasks[0]["dueDate"])
    assert [each["kind"] for each in first] == ["TELL_RECIPIENT"]
    assert "TELL_RECIPIENT" in officer.run().stdout


def test_whoever_may_not_see_a_list_is_told_which(
    own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-5.3-b: a claims officer sees nothing of state bodies, and knows it."""
    submitted(own_site.person(DATA), authority(own_site))
    officer = Officer(own_site, "claimsOfficer", monkeypatch)
    answer = json.loads(officer.run("--json").stdout)
    assert answer["tasks"] == []
    assert answer["unseen"] == ["/v1/authority-requests", "/v1/incidents"]
