# SPDX-License-Identifier: Apache-2.0
"""What `qupia run` prints: one line per part with its time, and what happens afterwards."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

_PART_WIDTH = 14
_DETAIL_WIDTH = 58


@dataclass
class Part:
    """A part of the start; `detail` says in the end what there is."""

    name: str
    detail: str = ""


class Progress:
    """Prints lines. A terminal that is gone is no reason to stop the suite."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """A part of the start: its line is printed when it is done or has failed."""
        part = Part(name)
        began = time.monotonic()
        try:
            yield part
        except BaseException:
            self._line("✗", "red", name, part.detail, time.monotonic() - began)
            raise
        self._line("✓", "green", name, part.detail, time.monotonic() - began)

    def say(self, text: str, style: str = "") -> None:
        """One line of plain text."""
        self._print(Text(text, style))

    def warn(self, text: str, lines: Sequence[str] = ()) -> None:
        """Something went wrong, with lines of a log behind it."""
        self._print(Text(text, "yellow"))
        for line in lines:
            self._print(Text(f"    {line}", "dim"))

    def _line(self, mark: str, style: str, name: str, detail: str, seconds: float) -> None:
        line = Text.assemble(
            (f"  {mark} ", style),
            (f"{name:<{_PART_WIDTH}}", "bold"),
            f"{detail:<{_DETAIL_WIDTH}}",
            (f"{seconds:6.2f} s", "dim"),
        )
        self._print(line)

    def _print(self, line: Text) -> None:
        with suppress(OSError):
            # Paths and commands are to be copied: they are never broken into lines.
            self._console.print(line, soft_wrap=True)
