# SPDX-License-Identifier: Apache-2.0
"""Words about people as officers give them, and files as they are saved: both for no other eyes.

Words come from a file or from stdin, never from the command line, which others on the machine see.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.chassis.config import ConfigError

Words = Annotated[
    Path, typer.Option("--text", metavar="FILE", help="The words: a file, or - for stdin.")
]
_MOST_WORDS = 100_000


def read_words(path: Path) -> str:
    """What a file or stdin says, without white space around it."""
    from_stdin = str(path) == "-"
    name = "stdin" if from_stdin else str(path)
    try:
        # By its bytes: stdin as text lets through what is none, as half signs that no JSON takes.
        content = sys.stdin.buffer.read() if from_stdin else path.read_bytes()
        text = content.decode("utf-8").replace("\r\n", "\n")
    except (OSError, ValueError):
        raise typer.BadParameter(f"{name} cannot be read as text") from None
    if len(text) > _MOST_WORDS:
        raise typer.BadParameter(f"{name} is too long")
    return text.strip()


def save_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads; nothing is overwritten. Raises ConfigError."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(number, "wb") as file:
        file.write(content)
