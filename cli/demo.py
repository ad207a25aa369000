# SPDX-License-Identifier: Apache-2.0
"""`qupia demo`: tells the acceptance story against a running suite."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.conversation import Answered, Conversation
from cli.story import Step, Story, StoryBroken
from cli.story_claim import LAST_STEPS
from cli.story_steps import FIRST_STEPS

STEPS: tuple[Step, ...] = (*FIRST_STEPS, *LAST_STEPS)
_LONGEST_TEXT = 48
_MOST_ITEMS = 2
_LONGEST_LINE = 400
_SHOWN_HEADERS = ("location", "etag")
# Of a problem, what its code says already.
_UNTOLD = ("type", "detail", "status")


class Teller:
    """Prints each exchange as it happens, and each fact that holds, with its clause."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, step: Step) -> None:
        """A step begins."""
        self._console.print()
        self._console.print(Text(f"{step.number}. {step.title}", "bold"))

    def exchanged(self, answered: Answered) -> None:
        """What was asked, and what came back."""
        asked = Text.assemble(
            ("  → ", "cyan"), (answered.who, "cyan"), f"  {answered.verb} {answered.path}"
        )
        if answered.body is not None:
            asked.append(f" {_sent(answered.body)}", "dim")
        good = answered.status < 300
        came = Text.assemble(("  ← ", "green" if good else "yellow"), str(answered.status))
        for name in _SHOWN_HEADERS:
            if name in answered.headers:
                came.append(f" {name}: {answered.headers[name]}", "dim")
        told = {name: part for name, part in answered.json.items() if name not in _UNTOLD}
        came.append(f" {_shortened(told)}", "dim")
        self._print(asked)
        self._print(came)

    def held(self, fact: str, clause: str) -> None:
        """A fact, and the clause that decided."""
        line = Text.assemble(("    ✓ ", "green"), fact)
        if clause:
            line.append(f"  (clause {clause})", "blue")
        self._print(line)

    def ended(self, steps: int, exchanges: int) -> None:
        """The story is told."""
        self._console.print()
        told = f"The story holds: {steps} steps, {exchanges} requests."
        self._console.print(Text(told, "bold green"))

    def broken(self, step: Step, what: str) -> None:
        """The story ended early."""
        self._print(Text(f"    ✗ step {step.number}: {what}", "bold red"))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


def demo(credentials: Path) -> int:
    """Tells the story; 0 where all of it holds, 1 where a step does not.

    Raises StartError where no suite runs.
    """
    teller = Teller(Console(highlight=False))
    with Conversation.of_file(credentials) as conversation:
        story = Story(conversation, teller)
        for step in STEPS:
            teller.title(step)
            try:
                step.tell(story)
            except StoryBroken as broken:
                teller.broken(step, str(broken))
                return 1
            except (KeyError, IndexError, TypeError) as missing:
                teller.broken(step, f"the answer lacks {missing}")
                return 1
    teller.ended(len(STEPS), len(story.seen))
    return 0


def _sent(body: object) -> str:
    return _cut(body.decode()) if isinstance(body, bytes) else _shortened(body)


def _shortened(document: object) -> str:
    return _cut(json.dumps(_short(document), ensure_ascii=False))


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}…"
    if isinstance(value, dict):
        return {name: _short(member) for name, member in value.items()}
    if isinstance(value, list):
        more = [f"… {len(value) - _MOST_ITEMS} more"] if len(value) > _MOST_ITEMS else []
        return [_short(item) for item in value[:_MOST_ITEMS]] + more
    return value


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
