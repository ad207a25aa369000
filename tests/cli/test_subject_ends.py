# SPDX-License-Identifier: Apache-2.0
"""`qupia subject destroy`: a dry run, the end, what holds it, and the list of what is due."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.harness.suite import Suite
from tests.policy.person import DATA, Person
from tests.policy.site import Site, new_site

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def site(suite: Suite) -> Iterator[Site]:
    """A site whose privacy officer uses the command."""
    with new_site(suite) as made:
        yield made


@pytest.fixture
def person(site: Site) -> Person:
    """Somebody with data."""
    return site.person(DATA)


@pytest.fixture
def command(suite: Suite, site: Site, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `qupia subject` as the site's privacy officer."""
    monkeypatch.setenv("QUPIA_GATEWAY", suite.gateway)
    monkeypatch.setenv("QUPIA_TOKEN", site.conversation.credentials["privacyOfficer"]["token"])
    return lambda *arguments: CliRunner().invoke(app, ["subject", *arguments])


def test_a_dry_run_tells_what_would_go_and_leaves_it(command: Command, person: Person) -> None:
    """T-5.1-b."""
    rehearsed = command("destroy", person.subject_id, "--dry-run")
    assert rehearsed.exit_code == 0, rehearsed.output
    assert "would be destroyed" in rehearsed.stdout
    # How many depends on what of the consents and orders has come over from the other services.
    assert re.search(r"[1-9]\d* rows", rehearsed.stdout), rehearsed.stdout
    assert DATA["phone"] not in rehearsed.output
    assert person.data()


def test_destroyed_the_certificate_is_printed_and_shown_again(
    command: Command, person: Person
) -> None:
    """T-5.1-b."""
    done = command("destroy", person.subject_id, "--ground", "DEMAND", "--json")
    assert done.exit_code == 0, done.output
    certificate = json.loads(done.stdout)["certificate"]
    again = command("destruction", person.subject_id)
    assert again.exit_code == 0
    assert certificate["entryId"] in again.stdout
    gone = command("destroy", person.subject_id, "--ground", "DEMAND")
    assert gone.exit_code == 1
    assert "SUBJECT_DESTROYED" in gone.stderr


def test_what_holds_is_named_and_the_command_fails(command: Command, person: Person) -> None:
    """T-6.2.3-a."""
    claim_id = person.claimed()["claimId"]
    held = command("destroy", person.subject_id, "--ground", "DEMAND")
    assert held.exit_code == 1
    assert "SUBJECT_BLOCKED" in held.stderr
    assert f"OPEN_BLOCK {claim_id}" in held.stderr
    rehearsed = command("destroy", person.subject_id, "--dry-run")
    assert rehearsed.exit_code == 1
    assert claim_id in rehearsed.stdout


def test_what_is_due_is_listed(command: Command, person: Person) -> None:
    """T-6.2.3-e."""
    claim_id = person.claimed("UNLAWFUL_ACTS")["claimId"]
    person.concluded(claim_id, "UNLAWFUL_CONFIRMED")
    listed = command("destructions", "--json")
    assert listed.exit_code == 0, listed.output
    found = {each["subjectId"]: each for each in json.loads(listed.stdout)["destructions"]}
    assert found[person.subject_id]["claimId"] == claim_id


def test_a_ground_is_demanded(command: Command, person: Person) -> None:
    assert command("destroy", person.subject_id).exit_code == 2
    assert person.data()
