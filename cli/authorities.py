# SPDX-License-Identifier: Apache-2.0
"""`qupia authorities`: the state bodies that may ask for data (clause 5.3)."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.given_ids import uuid_given
from cli.office_command import As, Json, RequestId, at_office
from cli.terminal import Terminal

_FIRST, _SECOND = "privacyOfficer", "secondPrivacyOfficer"
_PATH = "/v1/authorities"
AuthorityId = Annotated[
    str, typer.Argument(metavar="AUTHORITY", help="The body's id.", callback=uuid_given)
]

app = typer.Typer(help="Register the state bodies that may ask for data.", no_args_is_help=True)


@app.command()
def register(
    name: Annotated[str, typer.Option(help="Its official name.")],
    bin_number: Annotated[str, typer.Option("--bin", help="Twelve digits.")],
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Register a body; another person has to activate it."""
    body = {"authority": {"legalName": name, "bin": bin_number}}
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        _show(terminal, office.act(_PATH, body, request_id=request_id).document)


@app.command()
def activate(
    authority: AuthorityId, request_id: RequestId = "", chosen: As = "", as_json: Json = False
) -> None:
    """Activate a body that another person has registered."""
    with at_office(_SECOND, as_json=as_json, chosen=chosen) as (office, terminal):
        path = f"{_PATH}/{authority}:activate"
        _show(terminal, office.act(path, {}, request_id=request_id).document)


@app.command()
def suspend(
    authority: AuthorityId, request_id: RequestId = "", chosen: As = "", as_json: Json = False
) -> None:
    """Suspend a body: nothing is given to it any more."""
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        path = f"{_PATH}/{authority}:suspend"
        _show(terminal, office.act(path, {}, request_id=request_id).document)


@app.command("list")
def list_bodies(chosen: As = "", as_json: Json = False) -> None:
    """List the bodies of the site."""
    with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
        found = list(office.pages(_PATH, "authorities"))
        rows = [(a["authorityId"], a["legalName"], a["bin"], a["state"]) for a in found]
        document = {"authorities": [dict(each) for each in found]}
        columns = ("authority", "name", "BIN", "state")
        terminal.table(
            document,
            columns,
            rows,
            whole=("authority",),
            spare=("BIN", "state"),
            empty="No state body is registered.",
        )


def _show(terminal: Terminal, answer: Mapping[str, Any]) -> None:
    found = answer["authority"]
    names = ("authorityId", "legalName", "bin", "state")
    terminal.result(answer, [(name, found[name]) for name in names])
