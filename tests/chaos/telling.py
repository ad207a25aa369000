# SPDX-License-Identifier: Apache-2.0
"""The story told by a stubborn client while processes die, and what must have held at its end."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.conversation import Answered
from cli.demo import STEPS
from cli.story import Step, Story
from tests.chaos.books import duplicates
from tests.chaos.journal import Acknowledged, Journal, lasting_names
from tests.chaos.stubborn import StubbornConversation
from tests.harness.suite import Suite

DECIDERS = ("consent", "disclosure", "claims")
# A whole story asks so many requests; the kills are spread over them.
REQUESTS = 45
# A kill in the midst of the one release leaves it in doubt, which a test of its own looks at.
_NEVER_WITHIN = ":release"
_LONGEST_DELAY_SECONDS = 0.03
_START_SECONDS = 60.0


@dataclass
class Unheard:
    """Listens to a story for its facts alone."""

    facts: list[str] = field(default_factory=list)

    def exchanged(self, answered: Answered) -> None:
        """A request was answered."""

    def held(self, fact: str, clause: str) -> None:
        """A fact holds."""
        self.facts.append(f"{fact} {clause}")


@dataclass(frozen=True)
class Kill:
    """SIGKILL of a process at a request of the story: before it, or while it is under way."""

    process: str
    request: int
    during: bool
    delay: float


def plan(process: str, kills: int, seed: int) -> list[Kill]:
    """Kills spread over the story, half of them between requests; the same for the same seed."""
    chosen = random.Random(f"{process}/{seed}")
    share = REQUESTS // kills
    return [
        Kill(
            process,
            request=1 + share * number + chosen.randrange(share),
            during=(number + seed) % 2 == 0,
            delay=chosen.random() * _LONGEST_DELAY_SECONDS,
        )
        for number in range(kills)
    ]


class Telling:
    """One story through a row of kills. `kills` have requests in rising order."""

    def __init__(self, suite: Suite, kills: Sequence[Kill], path: Path) -> None:
        self.suite = suite
        self._due = list(kills)
        self._journal = Journal(path)
        self._killers: list[threading.Thread] = []
        self.killed: list[tuple[str, int]] = []
        self.conversation = StubbornConversation(
            suite.gateway, suite.credentials, self._journal, self._before
        )
        self.story = Story(self.conversation, Unheard())

    def tell(self, steps: Sequence[Step] = STEPS) -> None:
        """Tells the steps; raises StoryBroken where one does not hold."""
        for step in steps:
            step.tell(self.story)
        for killer in self._killers:
            killer.join()
        for process, pid in self.killed:
            self.suite.await_back(process, pid)

    def _before(self, number: int, path: str) -> None:
        if not self._due or number < self._due[0].request:
            return
        kill = self._due[0]
        if kill.during and path.endswith(_NEVER_WITHIN):
            return
        self._due.pop(0)
        if not kill.during:
            self._kill(kill.process)
            return
        killer = threading.Thread(target=self._kill_later, args=(kill,))
        killer.start()
        self._killers.append(killer)

    def _kill_later(self, kill: Kill) -> None:
        time.sleep(kill.delay)
        self._kill(kill.process)

    def _kill(self, process: str) -> None:
        # One that is just starting again has no id yet, or still that of the dead.
        deadline = time.monotonic() + _START_SECONDS
        while not self._has_killed(process):
            assert time.monotonic() < deadline, f"{process} did not start again"
            time.sleep(0.02)

    def _has_killed(self, process: str) -> bool:
        try:
            pid = self.suite.pid(process)
            if (process, pid) in self.killed:
                return False
            os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, TypeError, ProcessLookupError):
            return False
        self.killed.append((process, pid))
        return True

    def check(self) -> None:
        """Nothing acknowledged is lost, nothing took effect twice, nothing is left PENDING."""
        for acknowledged in self._journal.read():
            self._check_repeat(acknowledged)
        self._check_counts()
        for process in DECIDERS:
            assert duplicates(self.suite, process) == [], f"acts of {process} in evidence"

    def close(self) -> None:
        """Close the client and the journal."""
        self.conversation.close()
        self._journal.__exit__()

    def _check_repeat(self, old: Acknowledged) -> None:
        """The same request under the same key gets an answer with the same names."""
        headers = {"Idempotency-Key": old.key}
        again = self.conversation.ask(old.who, old.verb, old.path, old.body, headers)
        if old.path.endswith(":release") or old.verb == "PATCH":
            # Both decide again: the delivery may be over by now.
            return
        assert again.status == 200, f"{old.verb} {old.path} is lost: {again.content!r}"
        assert lasting_names(again.json) == old.names, f"{old.verb} {old.path} is another act"

    def _check_counts(self) -> None:
        story, ask = self.story, self.conversation.ask
        subject = f"/v1/subjects/{story.subject_id}"
        claims = ask("claimsOfficer", "GET", "/v1/claims?pageSize=1000").json["claims"]
        own = [claim for claim in claims if story.subject_id in claim["subjectIds"]]
        assert [claim["claimId"] for claim in own] == [story.claim_id]
        standing = ask("storefront", "GET", f"{subject}/standing").json["standing"]
        assert (standing["state"], standing["dataVersion"]) == ("ACTIVE", 2)
        assert (standing["openBlocks"], standing["openOrders"]) == (0, 1)
        for order_id in (story.order_id, story.closed_order_id):
            order = ask("storefront", "GET", f"/v1/orders/{order_id}").json
            assert len(order["deliveries"]) == 1
        lines = ask("storefront", "GET", f"{subject}/disclosures").json["disclosures"]
        assert Counter(line["outcome"] for line in lines)["RELEASED"] == 1
