# SPDX-License-Identifier: Apache-2.0
"""`qupia requests`: what state bodies ask for, and what two officers decide (clause 5.3)."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.given_ids import uuid_given
from cli.office_command import As, Json, RequestId, at_office
from cli.terminal import Terminal, local_time

_FIRST, _SECOND = "privacyOfficer", "secondPrivacyOfficer"
_PATH = "/v1/authority-requests"
RequestArgument = Annotated[
    str, typer.Argument(metavar="REQUEST", help="The request's id.", callback=uuid_given)
]

app = typer.Typer(help="Enter and decide requests of state bodies.", no_args_is_help=True)


@app.command("list")
def list_requests(
    due_before: Annotated[
        str, typer.Option(help="Only those that wait for an answer, due on this day or before.")
    ] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those overdue.")] = False,
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """List the site's requests, newest first, those under secrecy too."""
    query = {"dueBefore": due_before or None, "overdue": "true" if overdue else None}
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        found = list(office.pages(_PATH, "requests", query))
        rows = [
            (
                each["requestId"],
                each["state"],
                each["authorization"]["ground"]["kind"],
                ", ".join(f"{t['category']} {t['state'].lower()}" for t in each["tasks"]),
                each["authorization"]["dueDate"] + (" OVERDUE" if each.get("overdue") else ""),
                local_time(each["authorization"]["expireTime"]),
            )
            for each in found
        ]
        document = {"requests": [dict(each) for each in found]}
        columns = ("request", "state", "ground", "categories", "due", "until")
        terminal.table(
            document,
            columns,
            rows,
            whole=("request",),
            spare=("until", "ground", "categories"),
            empty="No state body has asked for anything.",
        )


@app.command()
def show(request: RequestArgument, chosen: As = "", as_json: Json = False) -> None:
    """Show a request with the official and the text of the document; that is recorded."""
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        _show(terminal, office.get(f"{_PATH}/{request}"))


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="JSON: authorization and tasks; - is stdin.")],
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Enter a request from a JSON file; a second person decides."""
    try:
        asked = json.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except (OSError, ValueError):
        raise typer.BadParameter(f"{file} cannot be read as JSON", param_hint="FILE") from None
    body = asked if isinstance(asked, dict) and "request" in asked else {"request": asked}
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        _show(terminal, office.act(_PATH, body, request_id=request_id).document)


@app.command()
def approve(
    request: RequestArgument,
    category: Annotated[list[str], typer.Option(help="Such as PHONE; once for each.")],
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Approve categories one by one; what is not named is refused."""
    with at_office(_SECOND, as_json=as_json, chosen=chosen) as (office, terminal):
        path, body = f"{_PATH}/{request}:approve", {"categories": category}
        _show(terminal, office.act(path, body, request_id=request_id).document)


@app.command()
def reject(
    request: RequestArgument,
    reason: Annotated[str, typer.Option(help="Why; kept sealed.")],
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Reject a request for good, also when its time is over."""
    with at_office(_SECOND, as_json=as_json, chosen=chosen) as (office, terminal):
        path, body = f"{_PATH}/{request}:reject", {"reason": reason}
        _show(terminal, office.act(path, body, request_id=request_id).document)


@app.command()
def release(
    request: RequestArgument,
    compelled: Annotated[
        bool, typer.Option("--compelled", help="A compulsory act opens data that are blocked.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="The package was picked up and got lost on the way.")
    ] = False,
    reason: Annotated[
        str, typer.Option(help="Why, where compelled or given again; kept sealed.")
    ] = "",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Print the one-time code by which the official picks the package up. Shown once."""
    body: dict[str, object] = {"compelled": compelled, "repeated": again}
    if reason:
        body["reason"] = reason
    with at_office(_SECOND, as_json=as_json, chosen=chosen) as (office, terminal):
        path = f"{_PATH}/{request}:release"
        answer = office.act(path, body, request_id=request_id).document
        code = [("code", answer["code"])] if answer.get("code") else []
        until = answer.get("codeExpireTime")
        valid = [("valid until", local_time(until))] if until else []
        terminal.result(answer, [("state", answer["request"]["state"]), *code, *valid])


@app.command()
def statistics(
    year: Annotated[int, typer.Option(help="A calendar year; the present one.")] = 0,
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Count a year's requests by body, ground and outcome; those under secrecy in total only."""
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        answer = office.get(f"{_PATH}:summarize", {"year": year or None})
        rows = [
            (c["legalName"], c["ground"], c["outcome"], str(c["count"])) for c in answer["counts"]
        ]
        columns = ("body", "ground", "outcome", "count")
        terminal.table(answer, columns, rows, empty="Nothing to tell.")
        terminal.note(
            f"{answer['year']}: {answer['total']} in all, {answer['secret']} under secrecy"
        )


def _show(terminal: Terminal, answer: Mapping[str, Any]) -> None:
    found = answer["request"]
    lines: list[tuple[str, object]] = [("request", found["requestId"]), ("state", found["state"])]
    official = found["authorization"].get("official")
    if official:
        lines.append(("official", f"{official['name']}, {official['position']}"))
    if found.get("repeatUntilTime"):
        lines.append(("given again until", local_time(found["repeatUntilTime"])))
    told = found.get("reasons", ())
    lines += [(f"reason {local_time(each['time'])}", each["text"]) for each in told]
    lines += [(task["category"], task["state"]) for task in found["tasks"]]
    terminal.result(answer, lines)
