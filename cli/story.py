# SPDX-License-Identifier: Apache-2.0
"""The acceptance story, told over HTTP: what is asked, and what has to come back.

The steps are in `story_steps`. Whoever tells the story (the demo, a test) listens to each exchange
and each fact; a fact that does not hold ends the story.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cli.conversation import Answered, Conversation


class StoryBroken(Exception):
    """Something did not come back as the story says."""


class Listener(Protocol):
    """Whoever hears the story."""

    def exchanged(self, answered: Answered) -> None:
        """A request was answered."""

    def held(self, fact: str, clause: str) -> None:
        """A fact holds; `clause` is what decided, empty where none did."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story."""

    number: int
    title: str
    tell: Callable[["Story"], None]


@dataclass
class Story:
    """What has come to pass so far."""

    conversation: Conversation
    listener: Listener
    policy_version: int = 0
    subject_id: str = ""
    claim_id: str = ""
    delivery_id: str = ""
    closed_delivery_id: str = ""
    order_id: str = field(default_factory=lambda: f"A-{secrets.token_hex(4)}")
    closed_order_id: str = field(default_factory=lambda: f"B-{secrets.token_hex(4)}")
    seen: list[Answered] = field(default_factory=list)

    def ask(
        self,
        who: str,
        verb: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """A request as `who`, told to the listener."""
        answered = self.conversation.ask(who, verb, path, body, headers)
        self.seen.append(answered)
        self.listener.exchanged(answered)
        return answered

    def granted(self, who: str, verb: str, path: str, body: object = None) -> Answered:
        """A request that has to be answered 200. Raises StoryBroken."""
        answered = self.ask(who, verb, path, body)
        _check(answered.status == 200, "this is answered 200", answered)
        return answered

    def refused(
        self,
        answered: Answered,
        status: int,
        code: str,
        clause: str = "",
        field_name: str = "",
    ) -> None:
        """The answer has to be this refusal. Raises StoryBroken."""
        _check(answered.status == status, f"this is refused with {status}", answered)
        _check(answered.code == code, f"this is refused as {code}", answered)
        _check(not clause or answered.clause == clause, f"clause {clause} decides", answered)
        named = not field_name or field_name in answered.fields
        _check(named, f"the problem names {field_name}", answered)
        what = f"refused: {code}" + (f" of {field_name}" if field_name else "")
        self.listener.held(what, answered.clause)

    def require(
        self, holds: bool, fact: str, clause: str = "", answered: Answered | None = None
    ) -> None:
        """A fact has to hold. Raises StoryBroken."""
        _check(holds, fact, answered)
        self.listener.held(fact, clause)


def _check(holds: bool, fact: str, answered: Answered | None = None) -> None:
    if holds:
        return
    came = ""
    if answered is not None:
        content = answered.content.decode(errors="replace")[:600]
        came = f"; {answered.verb} {answered.path} gave {answered.status} {content}"
    raise StoryBroken(f"it does not hold that {fact}{came}")
