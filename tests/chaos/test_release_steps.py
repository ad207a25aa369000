# SPDX-License-Identifier: Apache-2.0
"""A kill at every step of a release, exactly there: never bytes without an entry, never two effects
of one, and the same call again ends it (5.2, I3).

A release has three commits: PREPARED in the broker, the entry in the vault, RELEASED in the broker.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from services.chassis.ids import new_uuid
from tests.chaos.steps import held_commits
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

DELIVERIES = 2
STEPS = {
    "prepared": ("disclosure", "INSERT ON releases"),
    "entry": ("vault", "INSERT ON release_entries"),
    "released": ("disclosure", "UPDATE ON releases"),
}
SESSION = "session"
# Whoever commits at the step dies there, its session alone, or whoever waits for it.
# What leaves a release in doubt comes first: it is settled ten seconds later.
KILLS = [
    ("entry", "vault"),
    ("entry", "disclosure"),
    ("entry", SESSION),
    ("prepared", "disclosure"),
    ("prepared", SESSION),
    ("entry", "gateway"),
    ("released", SESSION),
    ("released", "disclosure"),
]
_LEFT = ("RELEASED", "REPEAT", "RELEASED_UNCERTAIN")


@dataclass
class Morning:
    """A courier's deliveries, the page it asks for, and every release that it was answered with."""

    suite: Suite
    deliveries: Mapping[str, str]
    page_size: int
    key: str = field(default_factory=new_uuid)
    token: str = ""
    received: dict[str, str] = field(default_factory=dict)

    def ask(self) -> bool:
        """The page that is next, once: whether all of the manifest was released."""
        body = {"deliveryIds": list(self.deliveries), "pageSize": self.page_size}
        answer = self._post(body | ({"pageToken": self.token} if self.token else {}))
        if answer is None:
            return False
        assert answer.status_code in (200, 503, 504), answer.text
        outcomes = answer.json().get("outcomes", []) if answer.status_code == 200 else []
        given = [each["released"] for each in outcomes if "released" in each]
        self.received |= {each["releaseId"]: each["details"]["orderId"] for each in given}
        if not given or len(given) < len(outcomes):
            return False
        self.token, self.key = answer.json().get("nextPageToken", ""), new_uuid()
        return not self.token

    def end(self) -> None:
        """The same call again, then the pages after it, until all were released."""
        wait_until(self.ask, "the manifest did not end")

    def _post(self, body: object) -> httpx.Response | None:
        with httpx.Client(base_url=self.suite.gateway, timeout=20.0, trust_env=False) as client:
            headers = {
                "Authorization": f"Bearer {self.suite.credentials['courier']['token']}",
                "Idempotency-Key": self.key,
            }
            path = "/v1/deliveries:releaseManifest"
            try:
                return client.post(path, json=body, headers=headers)
            except httpx.HTTPError:
                return None


@pytest.fixture(scope="module")
def interrupted(mortal: Suite) -> list[Morning]:
    """A manifest per kill, each ended by the same call again; no release is in doubt any more."""
    mornings = []
    for step, victim in KILLS:
        # Whose session dies is asked page by page, the others for all at once.
        morning = _morning(mortal, page_size=1 if victim == SESSION else DELIVERIES)
        _interrupt(mortal, morning, step, victim)
        morning.end()
        mornings.append(morning)
    _await_settled(mortal)
    return mornings


def test_nothing_leaves_without_an_entry_in_both_books(
    mortal: Suite, interrupted: list[Morning]
) -> None:
    """T-5.2-a"""
    permits = _permits(mortal)
    for morning in interrupted:
        told = {line["disclosureId"]: line for line in _ledger(mortal, morning)}
        for release_id in morning.received:
            assert told[release_id]["outcome"] in ("RELEASED", "REPEAT")
            assert permits["vault"][release_id] == permits["disclosure"][release_id] == 1


def test_no_release_has_two_effects(mortal: Suite, interrupted: list[Morning]) -> None:
    for database, permits in _permits(mortal).items():
        assert set(permits.values()) == {1}, database
    listed = mortal.as_("courier").get("/v1/deliveries", params={"pageSize": 100}).json()
    fetches = {each["deliveryId"]: each.get("fetches", 0) for each in listed["deliveries"]}
    for morning in interrupted:
        assert {fetches[each] for each in morning.deliveries} == {1}
        lines = Counter(
            (line["deliveryId"], "firstDisclosureId" in line)
            for line in _ledger(mortal, morning)
            if line["outcome"] in ("RELEASED", "REPEAT")
        )
        assert all(lines[(each, False)] <= 1 for each in morning.deliveries)


def test_whatever_the_vault_gave_out_stands_in_the_persons_ledger(
    mortal: Suite, interrupted: list[Morning]
) -> None:
    given = _ids(mortal, "vault", "SELECT release_id FROM release_entries")
    lines = [line for morning in interrupted for line in _ledger(mortal, morning)]
    assert {line["disclosureId"] for line in lines if line["outcome"] in _LEFT} == given
    uncertain = Counter(line["outcome"] for line in lines)["RELEASED_UNCERTAIN"]
    # Whose entry was written while the vault, or the broker that waited for it, was killed; and the
    # one whose RELEASED was rolled back. On a slow machine, who asked again too soon, as well.
    assert uncertain >= DELIVERIES * 2 + 1


def _morning(suite: Suite, page_size: int) -> Morning:
    deliveries = {}
    for _ in range(DELIVERIES):
        subject_id = suite.new_subject(new_data())
        _, delivery_id = suite.new_order(subject_id)
        deliveries[delivery_id] = subject_id
    return Morning(suite, deliveries, page_size)


def _interrupt(suite: Suite, morning: Morning, step: str, victim: str) -> None:
    database, event = STEPS[step]
    with held_commits(suite, database, event) as held:
        asking = threading.Thread(target=morning.ask)
        asking.start()
        session = held.await_one()
        pid = 0
        if victim == SESSION:
            held.end_session(session)
        else:
            pid = suite.kill(victim)
        held.let_go()
        asking.join()
    if pid:
        suite.await_back(victim, pid)


def _await_settled(suite: Suite) -> None:
    """No release is in doubt any more."""
    prepared = "SELECT release_id FROM releases WHERE state = 'PREPARED'"
    wait_until(
        lambda: not _ids(suite, "disclosure", prepared), "the reconciler left releases in doubt"
    )


def _ledger(suite: Suite, morning: Morning) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for subject_id in morning.deliveries.values():
        answer = suite.as_("storefront").get(f"/v1/subjects/{subject_id}/disclosures")
        lines += answer.json()["disclosures"]
    return lines


def _permits(suite: Suite) -> dict[str, Counter[str]]:
    """How many entries permit each release, in the vault and in the broker."""
    query = "SELECT body FROM evidence_entries WHERE outcome = 'PERMITTED' AND event = '{}'"
    names = {"vault": "data.read_for_release", "disclosure": "delivery.released"}
    return {
        database: Counter(
            json.loads(body)["refs"]["release_id"]
            for body in _ids(suite, database, query.format(event))
        )
        for database, event in names.items()
    }


def _ids(suite: Suite, database: str, query: str) -> set[str]:
    engine = create_engine(suite.database_url(database, "owner"))
    try:
        with engine.connect() as connection:
            return {str(row[0]) for row in connection.execute(text(query))}
    finally:
        engine.dispose()
