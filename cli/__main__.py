# SPDX-License-Identifier: Apache-2.0
"""The `qupia` command.

Exit codes (`cli/exit_codes.py`, printed by `qupia --help`): 0 done; 1 refused, or something does
not hold; 2 wrong usage; 69 a part cannot be reached or started; 70 a process ended again and again;
75 not now: recorded and not yet in force, still running, or too much asked at once; 77 the
credential is not valid or may not do this; 78 wrong configuration.
"""

from collections import UserDict
from importlib import import_module
from typing import Any, Final, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from cli.exit_codes import MEANINGS

# Paragraphs are wrapped anew for the terminal.
_MARKUP: Final = "markdown"
_SUITE = ("run", "demo", "fsck", "migrate", "contract", "token")
_GROUPS = (
    "credentials",
    "authorities",
    "requests",
    "recipients",
    "verify",
    "policy",
    "keys",
    "claims",
    "incidents",
    "tasks",
    "subject",
)


class Modules(UserDict[str, Any]):
    """The commands by name, each made of its module when it is asked for.

    So each starts without the others; only the help loads all.
    """

    def __init__(self) -> None:
        super().__init__(dict.fromkeys((*_SUITE, *_GROUPS)))

    def __getitem__(self, name: str) -> Any:
        if name not in self.data:
            raise KeyError(name)
        if name in _SUITE:
            parent = import_module("cli.commands").app
        else:
            parent = typer.Typer(rich_markup_mode=_MARKUP)
            parent.add_typer(import_module(f"cli.{name}").app, name=name)
        return cast(TyperGroup, get_command(parent)).commands[name]


class Commands(TyperGroup):
    """The root of all commands."""

    def __init__(self, **members: Any) -> None:
        super().__init__(**members)
        self.commands = Modules()


app = typer.Typer(
    cls=Commands,
    epilog="Exit codes: " + "; ".join(f"{code} {text}" for code, text in MEANINGS.items()) + ".",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
)


@app.callback()
def qupia() -> None:
    """Qupia: a privacy policy as a system that cannot break it."""


def main() -> None:
    """The entry point of the command."""
    app(prog_name="qupia")


if __name__ == "__main__":
    main()
