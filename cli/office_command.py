# SPDX-License-Identifier: Apache-2.0
"""What every officers' command does alike: its options, its connection, and how it ends badly."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

from cli.exit_codes import CONFIGURATION, NOT_ALLOWED, NOT_YET, REFUSED, UNREACHABLE
from cli.office import Answer, Office, Problem, Unanswered
from cli.office_place import Place, find_place, safe
from cli.terminal import Terminal
from services.chassis.config import ConfigError
from services.chassis.start_error import StartError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
As = Annotated[
    str,
    typer.Option("--as", metavar="NAME", help="Whose token of credentials.json, for development."),
]
RequestId = Annotated[
    str,
    typer.Option("--request-id", metavar="KEY", help="The Idempotency-Key of an earlier try."),
]

_LATER = frozenset({"OVERLOADED", "BUDGET_EXHAUSTED", "IDEMPOTENCY_IN_PROGRESS", "VAULT_NOT_READY"})
_ADVICE = {
    "UNAUTHENTICATED": "Get a fresh token: `qupia token NAME` in development, or from your issuer.",
    "PERMISSION_DENIED": "Use the credential of somebody with the role: `qupia contract` shows it.",
    "AWAITING_SECOND_APPROVAL": "A second person has to do this: use another person's token.",
    "IDEMPOTENCY_KEY_REUSED": "Leave --request-id out, or repeat exactly what was asked with it.",
    "NO_POLICY_IN_FORCE": "Publish a policy first: `qupia policy publish`.",
    "KEY_UNAVAILABLE": "Bring the key-encryption key back: docs/operations.md, Keys.",
    "INTERNAL": "Look for the reference in the services' logs.",
}


@contextmanager
def at_office(
    caller: str, *, as_json: bool = False, chosen: str = "", place: Place | None = None
) -> Iterator[tuple[Office, Terminal]]:
    """A client with the token of `caller` (or of `chosen`, or at `place`), and where to print.

    What goes wrong is said on stderr and becomes the exit code of `cli.exit_codes`.
    """
    terminal = Terminal(as_json=as_json)
    try:
        with Office(safe(place) if place else find_place(caller, chosen)) as office:
            yield office, terminal
    except Problem as problem:
        terminal.complain(said(problem), problem.document or {"status": problem.status})
        raise typer.Exit(exit_code(problem)) from None
    except ConfigError as error:
        terminal.complain(f"qupia: {error}")
        raise typer.Exit(CONFIGURATION) from None
    except UnicodeEncodeError:
        raise typer.BadParameter("something that was given is no text in UTF-8") from None
    except httpx.InvalidURL as error:
        raise typer.BadParameter(f"something that was given fits no URL: {error}") from None
    except Unanswered as error:
        terminal.complain(f"qupia: {error}")
        if error.request_id:
            terminal.complain(
                "Whether it was done is not known: repeat it with --request-id "
                f"{error.request_id}, which does it once at most."
            )
        raise typer.Exit(UNREACHABLE) from None
    except StartError as error:
        terminal.complain(f"qupia: {error}")
        raise typer.Exit(UNREACHABLE) from None


def said(problem: Problem) -> str:
    """A problem in lines for people: what, which clause, which fields, what to do."""
    head = f"qupia: {problem.title}"
    if problem.code:
        head += f" ({problem.code}{f', clause {problem.clause}' if problem.clause else ''})"
    lines = [head]
    lines += [f"  {f.field}: {f.detail or f.code}" for f in problem.fields]
    lines += [f"  held by {_hold(each)}" for each in problem.document.get("holds", ())]
    advice = _advice(problem)
    if advice:
        lines.append(advice)
    elif problem.document.get("detail"):
        lines.append(str(problem.document["detail"]))
    if problem.document.get("reference"):
        lines.append(f"reference {problem.document['reference']}")
    return "\n".join(lines)


def _hold(hold: Mapping[str, Any]) -> str:
    until = f" until {hold['until']}" if hold.get("until") else ""
    return f"{hold['kind']} {hold['id']}{until}"


def exit_code(problem: Problem) -> int:
    """What a refusal ends a command with."""
    if problem.code in _LATER or problem.status == 429:
        return NOT_YET
    if problem.code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return NOT_ALLOWED
    return UNREACHABLE if problem.status in (502, 503, 504) else REFUSED


def warn_if_pending(answer: Answer, terminal: Terminal) -> None:
    """Ends the command with 75 where its act is recorded and not yet in force."""
    if not answer.in_force:
        terminal.warn(
            f"Recorded and not yet in force: the vault cannot be reached. Ask {answer.location}"
        )
        raise typer.Exit(NOT_YET)


def _advice(problem: Problem) -> str:
    if problem.retry_after and problem.status in (429, 503) and problem.code not in _ADVICE:
        return f"Try again in {problem.retry_after} s."
    return _ADVICE.get(problem.code, "")
