# SPDX-License-Identifier: Apache-2.0
"""A client that never gives up: it repeats under one Idempotency-Key until it is answered for good,
polls what is PENDING until that is in force, and writes down what was acknowledged."""

import secrets
import time
from collections.abc import Callable, Mapping

from cli.conversation import Answered, Conversation
from services.chassis.start_error import StartError
from tests.chaos.journal import Acknowledged, Journal, lasting_names

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
# Of the moment, not of the matter.
_LATER = (
    "UNAVAILABLE",
    "VAULT_NOT_READY",
    "KEY_UNAVAILABLE",
    "OVERLOADED",
    "DEADLINE_EXCEEDED",
    "IDEMPOTENCY_IN_PROGRESS",
)
_READS = (":read", ":batchRead")


class NeverAnswered(Exception):
    """A request found no final answer in time."""


class StubbornConversation(Conversation):
    """Asks as `Conversation` does, through whatever happens to the suite.

    `before` is called before each first attempt with the number of the request, counted from 1.
    """

    def __init__(
        self,
        gateway: str,
        credentials: Mapping[str, Mapping[str, str]],
        journal: Journal,
        before: Callable[[int, str], None] = lambda _number, _path: None,
    ) -> None:
        super().__init__(gateway, credentials)
        self._journal = journal
        self._before = before
        self.asked = 0
        self.attempts = 0

    def ask(
        self,
        who: str,
        verb: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """One request as `who`, until it has a final answer. Raises NeverAnswered."""
        self.asked += 1
        self._before(self.asked, path)
        sent = dict(headers or {})
        mutates = verb != "GET" and not path.endswith(_READS)
        key = sent.setdefault("Idempotency-Key", secrets.token_hex(16)) if mutates else ""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answered = self._attempt(who, verb, path, body, sent)
            if answered is not None and answered.code not in _LATER:
                if answered.status == 202:
                    self._await_force(who, answered.headers["location"], deadline)
                    continue
                if mutates and answered.status == 200:
                    names = lasting_names(answered.json)
                    self._journal.write(Acknowledged(who, path, verb, key, body, names))
                return answered
            _check_patience(deadline, f"{verb} {path}", answered)
            time.sleep(_PAUSE_SECONDS)

    def once(self, who: str, verb: str, path: str, body: object = None) -> Answered:
        """One request, one attempt."""
        return super().ask(who, verb, path, body)

    def _attempt(
        self, who: str, verb: str, path: str, body: object, headers: Mapping[str, str]
    ) -> Answered | None:
        self.attempts += 1
        try:
            return super().ask(who, verb, path, body, headers)
        except StartError:
            return None

    def _await_force(self, who: str, location: str, deadline: float) -> None:
        while True:
            answered = self._attempt(who, "GET", location, None, {})
            known = answered.json.get("act", {}) if answered else {}
            if known.get("enforcement", "PENDING") != "PENDING":
                return
            _check_patience(deadline, location, answered)
            time.sleep(_PAUSE_SECONDS)


def _check_patience(deadline: float, what: str, answered: Answered | None) -> None:
    if time.monotonic() > deadline:
        last = f"{answered.status} {answered.code}" if answered else "no answer"
        raise NeverAnswered(f"{what}: {last} after {PATIENCE_SECONDS:.0f} s")
