# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the midst of a release: whatever may have left stands in both books (I3, 6.2.2)."""

import random
import threading
import time

import pytest
from sqlalchemy import create_engine, text

from cli.conversation import Answered, Conversation
from services.chassis.start_error import StartError
from tests.harness.suite import Suite
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

# The supervisor bears twice as many deaths of a process within a minute.
ROUNDS = 2
_LONGEST_DELAY_SECONDS = 0.05
_SETTLED_SECONDS = 60.0
_LEFT = ("RELEASED", "RELEASED_UNCERTAIN", "REPEAT")


PROCESSES = ("disclosure", "vault", "gateway")


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.deep)])
def test_what_may_have_left_stands_in_both_books(mortal: Suite, seed: int) -> None:
    seen: dict[str, str] = {}
    with Conversation(mortal.gateway, mortal.credentials) as conversation:
        for process in PROCESSES:
            chosen = random.Random(f"{process}/{seed}")
            for _ in range(ROUNDS):
                subject_id, release_id = _release(mortal, conversation, process, chosen.random())
                seen[subject_id] = release_id
        _await_books(mortal)
        for subject_id, release_id in seen.items():
            path = f"/v1/subjects/{subject_id}/disclosures"
            lines = conversation.ask("storefront", "GET", path).json["disclosures"]
            left = {line["disclosureId"]: line for line in lines if line["outcome"] in _LEFT}
            assert release_id in left
            assert all(line["fields"] for line in left.values())


def _release(
    suite: Suite, conversation: Conversation, process: str, chance: float
) -> tuple[str, str]:
    """A release with a kill in its midst, repeated until it is answered: subject and release."""
    data = new_data()
    subject_id = suite.new_subject(data)
    _, delivery_id = suite.new_order(subject_id)
    pid = suite.pid(process)
    killer = threading.Thread(
        target=_kill_after, args=(suite, process, chance * _LONGEST_DELAY_SECONDS)
    )
    killer.start()
    answered = _released(conversation, delivery_id)
    killer.join()
    assert answered.json["details"]["phone"] == data["phone"]
    suite.await_back(process, pid)
    return subject_id, str(answered.json["releaseId"])


def _kill_after(suite: Suite, process: str, delay: float) -> None:
    time.sleep(delay)
    suite.kill(process)


def _released(conversation: Conversation, delivery_id: str) -> Answered:
    deadline = time.monotonic() + _SETTLED_SECONDS
    while True:
        try:
            path = f"/v1/deliveries/{delivery_id}:release"
            answered = conversation.ask("courier", "POST", path, {})
            if answered.status == 200:
                return answered
            assert answered.status in (503, 504), answered.content
        except StartError:
            assert time.monotonic() < deadline, "the gateway did not come back"
        time.sleep(0.02)


def _await_books(suite: Suite) -> None:
    """No release is in doubt any more, and the two books name the same releases.

    What the vault gave and the broker withheld never left: the vault has its entry, the person's
    ledger must not claim that it left.
    """
    deadline = time.monotonic() + _SETTLED_SECONDS
    while _ids(suite, "disclosure", "SELECT release_id FROM releases WHERE state = 'PREPARED'"):
        assert time.monotonic() < deadline, "the reconciler left releases in doubt"
        time.sleep(0.2)
    given = _ids(suite, "vault", "SELECT release_id FROM release_entries")
    ledger = _ids(
        suite, "disclosure", "SELECT disclosure_id FROM disclosures WHERE outcome <> 'REFUSED'"
    )
    withheld = _ids(suite, "disclosure", "SELECT release_id FROM releases WHERE state = 'WITHHELD'")
    assert given == ledger | withheld
    assert not ledger & withheld


def _ids(suite: Suite, database: str, query: str) -> set[str]:
    engine = create_engine(suite.database_url(database, "owner"))
    try:
        with engine.connect() as connection:
            return {str(row[0]) for row in connection.execute(text(query))}
    finally:
        engine.dispose()
