# SPDX-License-Identifier: Apache-2.0
"""What is said when the suite serves: where it is, and how to try it."""

from pathlib import Path

from cli.layout import Layout
from cli.progress import Progress


def welcome(progress: Progress, layout: Layout, gateway: str) -> None:
    """Prints the address and commands to copy."""
    credentials = _short(layout.credentials)
    token = (
        f'TOKEN=$(python3 -c "import json; '
        f"print(json.load(open('{credentials}'))['credentials']['storefront']['token'])\")"
    )
    progress.say("")
    progress.say(f"Qupia serves at {gateway} after {progress.seconds:.1f} s.", "bold green")
    progress.say(f"  the API, readable:  {gateway}/docs")
    progress.say(f"  credentials:        {credentials}")
    progress.say(f"  logs:               {_short(layout.log)}")
    progress.say("")
    progress.say("To hear the story, in another terminal:")
    progress.say("  make demo", "bold")
    progress.say("By hand:")
    progress.say(f"  {token}")
    progress.say(f'  curl -s -H "Authorization: Bearer $TOKEN" {gateway}/v1/policies')
    progress.say("")
    progress.say("Ctrl-C stops everything; the data stay.", "dim")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
