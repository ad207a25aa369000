# SPDX-License-Identifier: Apache-2.0
"""How urgent a last day is: in colour for people, and in days for everybody."""

from datetime import date, datetime

from rich.text import Text

from cli.terminal import LOCAL

_STYLES = ((0, "bold red"), (3, "red"), (10, "yellow"))


def days_left(due_date: str, today: date | None = None) -> int:
    """The days until a last day (of the contract, such as 2026-12-23); negative when it passed."""
    today = today or datetime.now(LOCAL).date()
    return (date.fromisoformat(due_date) - today).days


def shown(due_date: str, *, open_: bool, today: date | None = None) -> Text:
    """A last day in the colour of its urgency; plain where nothing is waited for any more."""
    if not due_date:
        return Text("")
    left = days_left(due_date, today)
    if not open_:
        return Text(due_date)
    style = next((style for most, style in _STYLES if left < most or left == most > 0), "green")
    return Text(f"{due_date} ({left:+d} d)", style)
