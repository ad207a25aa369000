# SPDX-License-Identifier: Apache-2.0
"""A kill at the steps of a pick-up by a state body, exactly there: never bytes without an entry.

What is left in doubt is ended by what the vault has (5.3, I3).
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.chaos.steps import held_commits
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until
from tests.policy.person import DATA, Person
from tests.policy.site import Site, new_site
from tests.policy.state_body import BIN, Request, authority, submitted

pytestmark = pytest.mark.long

SESSION = "session"
# Where it stops, and who dies there. Where the vault has its entry the data may have left.
KILLS = {
    "before the vault is asked": ("disclosure", "INSERT ON authority_releases", "disclosure"),
    "after the vault's entry": ("vault", "INSERT ON release_entries", "vault"),
    "before RELEASED": ("disclosure", "UPDATE ON authority_releases", SESSION),
}
UNCERTAIN = ("after the vault's entry", "before RELEASED")
REPEAT = "a repeat, before RELEASED"
LOST: dict[str, Any] = {"repeated": True, "reason": "Жолда жоғалды."}
_PREPARED = text("SELECT count(*) FROM authority_releases WHERE state = 'PREPARED'")


@dataclass
class PickUp:
    """A person's data on their way to a state body, with the code that was out at the kill."""

    person: Person
    request: Request
    code: str

    def ask(self) -> httpx.Response | None:
        """The package; None where the connection broke."""
        body = {"code": self.code, "bin": BIN}
        gateway = self.person.site.suite.gateway
        with httpx.Client(base_url=gateway, timeout=20.0, trust_env=False) as client:
            try:
                return client.post("/v1/authority-packages:pickUp", json=body)
            except httpx.HTTPError:
                return None

    def lines(self) -> list[dict[str, Any]]:
        """What the person is told."""
        path = f"/v1/subjects/{self.person.subject_id}/disclosures"
        answered = self.person.site.good("storefront", "GET", path)
        return [line for line in answered.json["disclosures"] if line["outcome"] != "REFUSED"]


@pytest.fixture(scope="module")
def site(mortal: Suite) -> Iterator[Site]:
    """A site of the suite that is killed."""
    with new_site(mortal) as made:
        yield made


@pytest.fixture(scope="module")
def interrupted(mortal: Suite, site: Site) -> dict[str, PickUp]:
    """A pick-up per kill; the reconciler has ended what was left in doubt."""
    body, found = authority(site), {}
    for name, (database, event, victim) in KILLS.items():
        person = site.person(DATA)
        request = submitted(person, body, "PHONE").approved("PHONE")
        pick_up = PickUp(person, request, request.released())
        _interrupt(mortal, pick_up, database, event, victim)
        found[name] = pick_up
    found[REPEAT] = _interrupted_repeat(mortal, site, body)
    _await_settled(mortal)
    return found


def _interrupted_repeat(suite: Suite, site: Site, body: str) -> PickUp:
    person = site.person(DATA)
    request = submitted(person, body, "PHONE").approved("PHONE")
    pick_up = PickUp(person, request, request.released())
    first = pick_up.ask()
    assert first is not None
    assert first.status_code == 200, first.text
    pick_up.code = request.released(**LOST)
    _interrupt(suite, pick_up, *KILLS["before RELEASED"])
    return pick_up


def test_a_pick_up_that_the_vault_never_heard_of_is_taken_back(
    interrupted: dict[str, PickUp],
) -> None:
    pick_up = interrupted["before the vault is asked"]
    assert pick_up.lines() == []
    assert pick_up.request.shown()["state"] == "READY"
    given = pick_up.ask()
    assert given is not None
    assert given.status_code == 200, given.text
    assert [line["outcome"] for line in pick_up.lines()] == ["RELEASED"]


@pytest.mark.parametrize("name", UNCERTAIN)
def test_what_the_vault_gave_out_may_have_left_and_is_decided_on_again(
    interrupted: dict[str, PickUp], name: str
) -> None:
    pick_up = interrupted[name]
    (line,) = pick_up.lines()
    assert (line["outcome"], line["fields"]) == ("RELEASED_UNCERTAIN", ["phone"])
    assert pick_up.request.shown()["state"] == "UNCERTAIN"
    refused = pick_up.ask()
    assert refused is not None
    assert refused.json()["code"] == "NOT_AVAILABLE", "the code was brought once"
    pick_up.code = pick_up.request.released()
    # What may have left cannot be called never given, although a new code is out.
    rejected = pick_up.request.act("reject", {"reason": "Код пропал."})
    assert (rejected.status, rejected.json["code"]) == (409, "STATE_CONFLICT")
    given = pick_up.ask()
    assert given is not None
    assert given.status_code == 200, given.text
    again = next(each for each in pick_up.lines() if each["outcome"] == "REPEAT")
    assert again["firstDisclosureId"] == line["disclosureId"]


def test_a_repeat_that_may_have_left_leaves_the_first_as_it_was(
    interrupted: dict[str, PickUp],
) -> None:
    pick_up = interrupted[REPEAT]
    doubtful, first = pick_up.lines()
    assert (first["outcome"], doubtful["outcome"]) == ("RELEASED", "RELEASED_UNCERTAIN")
    assert doubtful["firstDisclosureId"] == first["disclosureId"]
    assert pick_up.request.shown()["state"] == "PICKED_UP"
    refused = pick_up.ask()
    assert refused is not None
    assert refused.json()["code"] == "NOT_AVAILABLE", "the code was brought once"
    pick_up.code = pick_up.request.released(**LOST)
    given = pick_up.ask()
    assert given is not None
    assert given.status_code == 200, given.text


def _interrupt(suite: Suite, pick_up: PickUp, database: str, event: str, victim: str) -> None:
    with held_commits(suite, database, event) as held:
        answers: list[httpx.Response | None] = []
        asking = threading.Thread(target=lambda: answers.append(pick_up.ask()))
        asking.start()
        session, pid = held.await_one(), 0
        if victim == SESSION:
            held.end_session(session)
        else:
            pid = suite.kill(victim)
        held.let_go()
        asking.join()
    assert answers[0] is None or answers[0].status_code != 200, "bytes left at a kill"
    if pid:
        suite.await_back(victim, pid)


def _await_settled(suite: Suite) -> None:
    """No pick-up is in doubt any more."""
    engine = create_engine(suite.database_url("disclosure", "owner"))

    def settled() -> bool:
        with engine.connect() as connection:
            return not connection.execute(_PREPARED).scalar_one()

    wait_until(settled, "the reconciler left a pick-up in doubt")
    engine.dispose()
