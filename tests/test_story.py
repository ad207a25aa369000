# SPDX-License-Identifier: Apache-2.0
"""The acceptance story over HTTP against real processes, step by step, more than once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cli.conversation import Answered, Conversation
from cli.demo import STEPS
from cli.story import Step, Story, StoryBroken
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until


@dataclass
class Notes:
    """What was heard of a story."""

    facts: list[str] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)

    def exchanged(self, answered: Answered) -> None:
        """A request was answered."""
        self.answers.append(answered)

    def held(self, fact: str, clause: str) -> None:
        """A fact holds."""
        self.facts.append(f"{fact} ({clause})")


@pytest.fixture
def conversation(suite: Suite) -> Iterator[Conversation]:
    """A client with all callers' credentials."""
    with Conversation(suite.gateway, suite.credentials) as client:
        yield client


def _tell(conversation: Conversation, steps: tuple[Step, ...]) -> tuple[Story, Notes]:
    notes = Notes()
    story = Story(conversation, notes)
    for step in steps:
        before = len(notes.facts)
        step.tell(story)
        assert len(notes.facts) > before, f"step {step.number} established nothing"
    return story, notes


def test_the_story_has_its_twelve_steps_in_order() -> None:
    assert [step.number for step in STEPS] == list(range(1, 13))


def test_the_whole_story_holds_and_holds_again(conversation: Conversation) -> None:
    first, notes = _tell(conversation, STEPS)
    assert len(notes.answers) > 40
    second, _ = _tell(conversation, STEPS)
    assert second.policy_version > first.policy_version


def test_every_answer_has_an_id_by_which_its_log_line_is_found(
    suite: Suite, conversation: Conversation
) -> None:
    _, notes = _tell(conversation, STEPS[:4])
    references = [answered.headers["x-request-id"] for answered in notes.answers]
    for answered, reference in zip(notes.answers, references, strict=True):
        assert answered.json.get("reference", reference) == reference
    # The line is written when the answer has left.
    wait_until(
        lambda: all(reference in suite.log("gateway") for reference in references),
        "the log has not every answer's line",
    )


def test_a_step_that_does_not_hold_ends_the_story(conversation: Conversation) -> None:
    story, _ = _tell(conversation, STEPS[:2])
    with pytest.raises(StoryBroken, match="gave 404"):
        # Without data, an order or a delivery there is nothing to release.
        story.granted(
            "courier", "POST", f"/v1/deliveries/{'0' * 8}-0000-7000-8000-{'0' * 12}:release", {}
        )


def test_the_other_site_has_a_story_of_its_own(suite: Suite) -> None:
    theirs = suite.new_subject({"givenName": "Нұрлан"}, storefront="otherStorefront")
    body = {"purpose": "IDENTIFY_FOR_ORDER"}
    path = f"/v1/subjects/{theirs}/data:read"
    assert suite.as_("otherStorefront").post(path, json=body).status_code == 200
    assert suite.as_("storefront").post(path, json=body).status_code == 404
