# SPDX-License-Identifier: Apache-2.0
"""`qupia subject destroy` and its like: how a person's data end, what holds them (clause 5.1)."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.exit_codes import REFUSED
from cli.given_ids import subject_given
from cli.office_command import As, Json, RequestId, at_office
from cli.terminal import local_time

_OFFICER = "privacyOfficer"
_KIND = {
    "OPEN_BLOCK": "open block of claim",
    "LEGAL_HOLD": "legal hold",
    "OPEN_ORDER": "open order",
    "STATUTORY_TERM": "statutory term of",
}
SubjectId = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="The subject's id.", callback=subject_given)
]


def destroy(
    subject: SubjectId,
    ground: Annotated[
        str,
        typer.Option(
            help="DEMAND, PURPOSE_ACHIEVED, RELATIONS_ENDED, COURT_ACT, NO_CONSENT or "
            "UNLAWFUL_CONFIRMED."
        ),
    ] = "",
    reference: Annotated[str, typer.Option(help="The demand, act or claim behind it.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go and what holds it; no change.")
    ] = False,
    depersonalize: Annotated[
        bool, typer.Option("--depersonalize", help="Depersonalise instead.")
    ] = False,
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Destroy all data of a person for good, visitors linked to the account with them.

    Exit code 0 where the data are gone (or would go), 1 where something holds them: a block, a
    legal hold, an open order; or a statutory term, which restricts the data instead.
    """
    if not ground and not dry_run:
        raise typer.BadParameter("name the ground, such as DEMAND", param_hint="--ground")
    body: dict[str, object] = {"ground": ground or "DEMAND", "dryRun": dry_run}
    if reference:
        body["reference"] = reference
    verb = "depersonalize" if depersonalize else "destroy"
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        path = f"/v1/subjects/{subject}:{verb}"
        answer = office.act(path, body, request_id=request_id).document
        terminal.result(answer, _lines(answer, dry_run=dry_run))
        if answer["outcome"] != "DESTROYED":
            raise typer.Exit(REFUSED)


def destruction(subject: SubjectId, chosen: As = "", as_json: Json = False) -> None:
    """Show how far the destruction of a person has come, with its certificate."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        answer = office.get(f"/v1/subjects/{subject}/destruction")
        found = answer["destruction"]
        lines = [
            ("state", found["state"]),
            ("ground", found["ground"]),
            ("due", local_time(found["dueTime"])),
            *_holds(found.get("holds", ())),
            *_certificate(answer.get("certificate", {})),
        ]
        terminal.result(answer, lines)


def destructions(
    state: Annotated[str, typer.Option(help="DUE, RESTRICTED or DONE.")] = "DUE",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """List destructions in a state, those due first: who executes them and what holds them."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        found = list(office.pages("/v1/destructions", "destructions", {"state": state}))
        rows = [
            (
                each["subjectId"],
                each["ground"],
                local_time(each["dueTime"]),
                each.get("executedBy") or "a privacy officer",
                ", ".join(_hold(h) for h in each.get("holds", ())) or "–",
            )
            for each in found
        ]
        columns = ("subject", "ground", "due", "executed by", "held by")
        document = {"destructions": [dict(each) for each in found]}
        terminal.table(
            document,
            columns,
            rows,
            whole=("subject",),
            spare=("executed by", "held by", "ground"),
            empty=f"No destruction is {state}.",
        )


def _lines(answer: Mapping[str, Any], *, dry_run: bool) -> list[tuple[str, object]]:
    outcome = str(answer["outcome"])
    would = {"DESTROYED": "would be destroyed", "RESTRICTED": "would be restricted"}
    lines: list[tuple[str, object]] = [
        ("outcome", would.get(outcome, outcome) if dry_run else outcome)
    ]
    for each in answer.get("categories", ()):
        kept = each.get("keptUntilTime")
        term = f" (kept until {local_time(kept)}: {each.get('basis', '')})" if kept else ""
        rows = each.get("rows", 0)
        lines.append((each["category"].lower().replace("_", " "), f"{rows} rows{term}"))
    lines += [("with it", each) for each in answer.get("linkedSubjectIds", ())]
    return [*lines, *_holds(answer.get("holds", ())), *_certificate(answer.get("certificate", {}))]


def _holds(holds: Any) -> list[tuple[str, object]]:
    return [("held by", _hold(each)) for each in holds]


def _hold(hold: Mapping[str, Any]) -> str:
    until = f" until {local_time(hold['untilTime'])}" if hold.get("untilTime") else ""
    basis = f" ({hold['basis']})" if hold.get("basis") else ""
    return f"{_KIND.get(hold['kind'], hold['kind'])} {hold['id']}{until}{basis}"


def _certificate(certificate: Mapping[str, Any]) -> list[tuple[str, object]]:
    if not certificate:
        return []
    gone = certificate.get("epochKeyDestroyedTime")
    return [
        ("destroyed", local_time(certificate["endTime"])),
        ("executed by", certificate["executedBy"]),
        ("no backup after", local_time(certificate["unrecoverableTime"])),
        ("epoch key", f"destroyed {local_time(gone)}" if gone else "not destroyed yet"),
        ("evidence", certificate["entryId"]),
    ]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `qupia subject`."""
    app.command()(destroy)
    app.command()(destruction)
    app.command()(destructions)
