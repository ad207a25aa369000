# SPDX-License-Identifier: Apache-2.0
"""`qupia incidents`: the register of lost and disclosed data, and notice of them (clause 7)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.given_ids import uuid_given
from cli.office_command import As, Json, RequestId, at_office
from cli.office_words import Words, read_words, save_new
from cli.terminal import LOCAL, local_time
from cli.urgency import shown

app = typer.Typer(help="Register incidents, and give notice of them.", no_args_is_help=True)

_OFFICER = "privacyOfficer"
IncidentId = Annotated[str, typer.Argument(help="Its id.", callback=uuid_given)]


@app.command("list")
def list_incidents(
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones, too.")] = False,
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """List incidents, those whose notice is the most urgent first."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        page = office.get("/v1/incidents", {"includeClosed": closed})
        rows = [_row(each) for each in page.get("incidents", ())]
        columns = ("notice due", "kind", "cause", "intent", "affected#", "notice", "id")
        terminal.table(
            dict(page),
            columns,
            rows,
            whole=("notice due", "id"),
            # Whether notice is owed is said by its day, too.
            spare=("intent", "notice", "affected", "cause", "kind"),
        )


@app.command()
def show(
    incident: IncidentId,
    with_texts: Annotated[bool, typer.Option("--texts", help="With its sealed words.")] = False,
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Show an incident with its notices and exemptions. The read is recorded."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        found = office.get(f"/v1/incidents/{incident}", {"withTexts": with_texts})
        terminal.result(dict(found), _lines(found))


@app.command()
def register(
    kind: Annotated[str, typer.Argument(help="LOST or DISCLOSED.")],
    cause: Annotated[str, typer.Argument(help="UNAUTHORISED_ACCESS, EMPLOYEE_ERROR, …")],
    text: Words,
    intent: Annotated[str, typer.Option(help="INTENTIONAL, NOT_INTENTIONAL, UNKNOWN.")] = "UNKNOWN",
    detected: Annotated[str, typer.Option(help="When, with zone; now where absent.")] = "",
    subject: Annotated[list[str] | None, typer.Option(help="Whom it affects; repeatable.")] = None,
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Register an incident; the words say what happened. Notice is due the next working day."""
    new: dict[str, object] = {
        "kind": kind,
        "cause": cause,
        "intent": intent,
        "subjectIds": subject or [],
        "description": read_words(text),
    }
    new |= {"detectTime": detected} if detected else {}
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        body = {"incident": new}
        made = office.act("/v1/incidents", body, request_id=request_id).document
        terminal.result(dict(made), _lines(made))


@app.command()
def notice(
    incident: IncidentId,
    out: Annotated[Path | None, typer.Option(help="Save the notice as a PDF here.")] = None,
    language: Annotated[str, typer.Option(help="kk, ru or en.")] = "kk",
    sent: Annotated[str, typer.Option(help="It was given, with this proof.")] = "",
    addressee: Annotated[
        str, typer.Option(help="AUTHORISED_BODY, SUBJECTS, SECURITY_BODY.")
    ] = "AUTHORISED_BODY",
    request: Annotated[str, typer.Option(help="The 5.3 request for the names.")] = "",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Save the notice to the authorised body (--out), or record that it was given (--sent)."""
    if (out is None) == (not sent):
        raise typer.BadParameter("say either --out FILE or --sent PROOF")
    path = f"/v1/incidents/{incident}"
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        if out is not None:
            content = office.fetch(f"{path}/notice", {"language": language}).content
            save_new(out, content)
            terminal.result({"file": str(out), "bytes": len(content)}, [("saved", out)])
            return
        now = datetime.now(LOCAL).isoformat()
        dispatch = {"channel": "POST", "time": now, "proof": sent}
        body: dict[str, object] = {"addressee": addressee, "dispatch": dispatch}
        body |= {"authorityRequestId": request} if request else {}
        told = office.act(f"{path}/notices", body, request_id=request_id).document
        terminal.result(dict(told), _lines(told))


def _row(incident: Mapping[str, Any]) -> Sequence[object]:
    owed = "noticeTime" not in incident
    return (
        shown(str(incident["noticeDueDate"]), open_=owed),
        incident["kind"],
        incident["cause"],
        incident["intent"],
        incident.get("affected", 0),
        "owed" if owed else local_time(incident["noticeTime"]),
        incident["incidentId"],
    )


def _lines(document: Mapping[str, Any]) -> list[tuple[str, object]]:
    found = document["incident"]
    names = ("kind", "cause", "intent", "affected", "incidentId")
    lines: list[tuple[str, object]] = [(n, found[n]) for n in names if n in found]
    owed = "noticeTime" not in found
    lines += [
        ("detected", local_time(found["detectTime"])),
        ("notice due", shown(str(found["noticeDueDate"]), open_=owed)),
        ("notice", "owed" if owed else local_time(found["noticeTime"])),
    ]
    lines += [("exemption", f"{e['clause']} {e['code']}") for e in found.get("exemptions", ())]
    lines += [(str(t["kind"]).lower(), t["text"]) for t in document.get("texts", ())]
    return lines
