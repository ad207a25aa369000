# SPDX-License-Identifier: Apache-2.0
"""`qupia claims`: the officers' desk, from the queue by due date to the court bundle (clause 8).

Words about people are read from a file or from stdin, never from the command line, which others
on the machine can see.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.given_ids import claim_given, is_claim_number, uuid_given
from cli.office import Office
from cli.office_command import As, Json, RequestId, at_office, warn_if_pending
from cli.office_words import Words, read_words, save_new
from cli.terminal import LOCAL, Terminal, local_time
from cli.urgency import shown

app = typer.Typer(
    help="Work claims: queue, verification, answer, court bundle.", no_args_is_help=True
)

_OFFICER = "claimsOfficer"
_OPEN = ("RECEIVED", "VERIFIED", "ANSWER_WRITTEN", "AWAITING_RECEIPT")
ClaimId = Annotated[
    str,
    typer.Argument(help="Its id, or its number such as 2026-000001.", callback=claim_given),
]


@app.command("list")
def list_claims(
    state: Annotated[str, typer.Option(help="Only claims in this state.")] = "",
    due_before: Annotated[str, typer.Option(help="Only those due on or before this day.")] = "",
    officer: Annotated[str, typer.Option(help="Only those of this officer; me for mine.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """List claims, the most urgent first."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        query = {
            "state": state or None,
            "dueBefore": due_before or None,
            "officer": officer or None,
            "pageSize": limit,
        }
        page = office.get("/v1/claims", query)
        claims = page.get("claims", ())
        columns = ("number", "due", "kind", "state", "blocks", "enforcement", "officer")
        terminal.table(
            dict(page),
            columns,
            [_row(claim) for claim in claims],
            whole=("number", "due"),
            spare=("enforcement", "officer", "blocks", "kind"),
        )
        if page.get("nextPageToken"):
            terminal.warn(f"There are more: these are the {limit} most urgent.")


@app.command()
def show(claim: ClaimId, chosen: As = "", as_json: Json = False) -> None:
    """Show a claim with its documents, notices and timeline; words only by `read`."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        path = _path(office, claim)
        document = {
            "claim": office.get(path)["claim"],
            "documents": office.get(f"{path}/documents").get("documents", []),
            "notices": office.get(f"{path}/notices").get("notices", []),
            "timeline": office.get(f"{path}/timeline").get("entries", []),
        }
        if as_json:
            terminal.result(document)
            return
        terminal.result({}, _lines(document["claim"]))
        _tell(terminal, "documents", ("kind", "when", "by", "id"), document["documents"], _document)
        _tell(terminal, "notices", ("kind", "when", "by", ""), document["notices"], _notice)
        _tell(terminal, "timeline", ("when", "event", "outcome", "by"), document["timeline"], _step)


@app.command()
def read(
    claim: ClaimId,
    document: Annotated[
        str, typer.Argument(help="The document's id, of `show`.", callback=uuid_given)
    ],
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Read a text of a claim: its statement, its demand, a note. The read is recorded."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        found = office.get(f"{_path(office, claim)}/documents/{document}")
        terminal.result(dict(found), [(str(found["document"]["kind"]), found["text"])])


@app.command()
def assign(
    claim: ClaimId,
    officer: Annotated[str, typer.Option(help="Whose it is; yours where absent.")] = "",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Assign a claim."""
    body = {"officer": officer} if officer else {}
    _act(claim, ":assign", body, request_id, chosen, as_json=as_json)


@app.command()
def note(
    claim: ClaimId, text: Words, request_id: RequestId = "", chosen: As = "", as_json: Json = False
) -> None:
    """Add an officer's note."""
    _act(claim, "/notes", {"text": read_words(text)}, request_id, chosen, as_json=as_json)


@app.command()
def conclude(
    claim: ClaimId,
    outcome: Annotated[str, typer.Argument(help="NOT_CONFIRMED, INACCURATE_CONFIRMED or …")],
    text: Words,
    phone: Annotated[str, typer.Option(help="What the phone becomes.")] = "",
    email: Annotated[str, typer.Option(help="What the e-mail address becomes.")] = "",
    subject: Annotated[str, typer.Option(help="Whose data, where the claim names several.")] = "",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Conclude a verification; the words say what was found, and on which documents."""
    correction = {name: value for name, value in (("phone", phone), ("email", email)) if value}
    body: dict[str, object] = {"outcome": outcome, "evidence": read_words(text)}
    body |= {"correction": correction} if correction else {}
    body |= {"subjectId": subject} if subject else {}
    _act(claim, ":concludeVerification", body, request_id, chosen, as_json=as_json)


@app.command()
def answer(
    claim: ClaimId,
    decision: Annotated[str, typer.Argument(help="SATISFIED, PARTLY_SATISFIED or REJECTED.")],
    text: Words,
    signatory: Annotated[str, typer.Option(help="Who signs: name and position.")] = "",
    posted: Annotated[str, typer.Option(help="It left by post, with this receipt.")] = "",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Answer a claim in writing: by e-mail where it has an address, or posted with its receipt."""
    body: dict[str, object] = {"decision": decision, "text": read_words(text)}
    body |= {"signatory": signatory} if signatory else {}
    if posted:
        now = datetime.now(LOCAL).isoformat()
        body["dispatch"] = {"channel": "POST", "time": now, "proof": posted}
    _act(claim, ":answer", body, request_id, chosen, as_json=as_json)


@app.command()
def bundle(
    claim: ClaimId,
    out: Annotated[Path, typer.Option(help="The file to write; none may be there.")],
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Save all that a court needs of a claim as one signed archive."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        content = office.fetch(f"{_path(office, claim)}/bundle").content
        save_new(out, content)
        terminal.result({"file": str(out), "bytes": len(content)}, [("saved", out)])


def _act(
    claim: str,
    step: str,
    body: Mapping[str, object],
    request_id: str,
    chosen: str,
    *,
    as_json: bool,
) -> None:
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        done = office.act(f"{_path(office, claim)}{step}", body, request_id=request_id)
        document = dict(done.document)
        lines = _lines(document["claim"]) if "claim" in document else [("done", step.strip(":/"))]
        terminal.result(document, lines)
        warn_if_pending(done, terminal)


def _path(office: Office, claim: str) -> str:
    """The path of a claim by id; a number is looked up among the site's claims."""
    if is_claim_number(claim):
        found = office.get("/v1/claims", {"number": claim}).get("claims", ())
        if found:
            return f"/v1/claims/{found[0]['claimId']}"
        raise typer.BadParameter(f"the site has no claim {claim}")
    return f"/v1/claims/{claim}"


def _due(claim: Mapping[str, Any]) -> Text:
    return shown(str(claim.get("dueDate", "")), open_=claim["state"] in _OPEN)


def _row(claim: Mapping[str, Any]) -> Sequence[object]:
    return (
        claim["number"],
        _due(claim),
        claim["kind"],
        claim["state"] + (" recovered" if claim.get("recovered") else ""),
        "yes" if claim.get("blocks") else "",
        claim.get("enforcement", ""),
        str(claim.get("officer", "")).rpartition("#")[2],
    )


def _lines(claim: Mapping[str, Any]) -> list[tuple[str, object]]:
    names = ("number", "kind", "claimant", "state", "outcome", "decision", "officer", "claimId")
    lines: list[tuple[str, object]] = [(n, claim[n]) for n in names if claim.get(n)]
    if claim.get("recovered"):
        lines.append(("recovered", "its record was lost: see the task RECOVERED_CLAIM"))
    lines.append(("subjects", ", ".join(claim.get("subjectIds", ())) or "none named"))
    lines += [("received", local_time(claim.get("receiptTime"))), ("due", _due(claim))]
    return lines


def _tell(
    terminal: Terminal, title: str, columns: Sequence[str], items: Sequence[Any], row: Any
) -> None:
    terminal.note(f"\n{title}")
    rows = [row(item) for item in items]
    terminal.table({}, columns, rows, whole=("id",), spare=("by",))


def _document(document: Mapping[str, Any]) -> Sequence[object]:
    by = str(document.get("author", "")).rpartition("#")[2]
    return document["kind"], local_time(document["createTime"]), by, document["documentId"]


def _notice(notice: Mapping[str, Any]) -> Sequence[object]:
    channel = notice.get("channel", "")
    return notice["kind"], local_time(notice["createTime"]), channel, notice["sending"]


def _step(entry: Mapping[str, Any]) -> Sequence[object]:
    by = str(entry["principal"]).rpartition("#")[2] or entry["principal"]
    return local_time(entry["time"]), entry["event"], entry["outcome"], by
