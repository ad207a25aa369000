# SPDX-License-Identifier: Apache-2.0
"""`qupia policy`: publishes versions of a site's policy and shows them (clauses 9.1, 9.2)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.exit_codes import REFUSED
from cli.office_command import As, Json, RequestId, at_office, warn_if_pending
from cli.policy_file import Draft, PolicyFileWrong, one_draft
from cli.terminal import Terminal, local_time
from services.chassis.clock import SystemClock
from services.consent.policy import digest

app = typer.Typer(help="Publish and show versions of the policy.", no_args_is_help=True)

_OFFICER = "privacyOfficer"
_SHORT = 16


@app.command()
def publish(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Texts, such as policy.kk.txt policy.ru.txt.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A TOML or JSON file that names everything.")
    ] = None,
    prevailing: Annotated[
        str, typer.Option(help="The language that prevails; the first text's where absent.")
    ] = "",
    effective: Annotated[
        str,
        typer.Option(help="In force from then on, such as 2026-12-01 (midnight in Almaty); now."),
    ] = "",
    material: Annotated[
        list[str] | None,
        typer.Option(help="An express purpose, such as NEWS, for which the change is material."),
    ] = None,
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Publish a version of the policy. It never changes afterwards.

    Consents given for a --material purpose end when the version comes into force, until they are
    given again.
    """
    try:
        draft = one_draft(files or [], manifest, prevailing, effective, material or [])
    except PolicyFileWrong as wrong:
        raise typer.BadParameter(str(wrong)) from None
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        answer = office.act("/v1/policies", draft.body(), request_id=request_id)
        policy = answer.document["policy"]
        _show(terminal, {**answer.document}, policy)
        _compare(terminal, draft, policy)
        warn_if_pending(answer, terminal)


@app.command("list")
def list_(chosen: As = "", as_json: Json = False) -> None:
    """List the versions of the policy, newest first, and say which is in force."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        policies = list(office.pages("/v1/policies", "policies"))
        states = _states(policies, SystemClock().now())
        rows = [
            (
                policy["version"],
                state,
                local_time(policy["effectiveTime"]),
                policy["prevailingLanguage"],
                " ".join(policy.get("materialPurposes", ())) or "–",
                policy["sha256"] if terminal.is_wide else f"{policy['sha256'][:_SHORT]}…",
            )
            for policy, state in zip(policies, states, strict=True)
        ]
        columns = ("version#", "state", "in force from", "prevails", "material for", "sha256")
        terminal.table(
            {"policies": [dict(policy) for policy in policies]},
            columns,
            rows,
            empty="No version was ever published: `qupia policy publish`.",
        )


@app.command()
def show(
    version: Annotated[int, typer.Argument(min=1)], chosen: As = "", as_json: Json = False
) -> None:
    """Show one version with its texts."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        policy = office.get(f"/v1/policies/{version}")["policy"]
        _show(terminal, {"policy": policy}, policy)
        for text in policy["texts"]:
            terminal.note(f"\n[{text['language']}] {text['title']}\n\n{text['body']}")


def _show(terminal: Terminal, document: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    lines = [
        ("version", policy["version"]),
        ("sha256", policy["sha256"]),
        ("in force from", local_time(policy["effectiveTime"])),
        ("published", local_time(policy["publishTime"])),
        ("prevails", policy["prevailingLanguage"]),
        ("material for", " ".join(policy.get("materialPurposes", ())) or "–"),
    ]
    terminal.result(document, lines)


def _compare(terminal: Terminal, draft: Draft, policy: Mapping[str, Any]) -> None:
    """What was published has to be what stands in the files: the digest is taken here too."""
    prevailing = str(policy["prevailingLanguage"])
    if digest(int(policy["version"]), prevailing, draft.texts) != policy["sha256"]:
        terminal.complain("qupia: the digest is not that of these texts: compare the version")
        raise typer.Exit(REFUSED)


def _states(policies: Sequence[Mapping[str, Any]], now: datetime) -> list[str]:
    times = [datetime.fromisoformat(str(p["effectiveTime"])).astimezone(UTC) for p in policies]
    in_force = max((time for time in times if time <= now), default=None)
    return [
        "to come" if time > now else "in force" if time == in_force else "replaced"
        for time in times
    ]
