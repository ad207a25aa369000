# SPDX-License-Identifier: Apache-2.0
"""`qupia keys`: what keys the vault has, and rotating and retiring them (clause 1.1.4)."""

import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.exit_codes import NOT_YET, REFUSED
from cli.office import Office
from cli.office_command import As, Json, RequestId, at_office
from cli.terminal import Terminal, local_time

app = typer.Typer(help="Count, rotate and retire the vault's keys.", no_args_is_help=True)

_CUSTODIAN = "keyCustodian"
_PAUSE = 0.5


class Kind(StrEnum):
    """What a key is for."""

    KEK = "kek"
    EPOCH = "epoch"
    INDEX = "index"

    @property
    def name_in_contract(self) -> str:
        """The value of Key.Kind."""
        return self.value.upper()


@app.command()
def status(
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay until the rotation that is under way has ended.")
    ] = False,
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Show every key with the rows under it, and the last rotation."""
    with at_office(_CUSTODIAN, as_json=as_json, chosen=chosen) as (office, terminal):
        if follow:
            _follow(office, terminal)
        document = office.get("/v1/keys")
        rows = [*_keks(document), *_epochs(document), *_index_keys(document)]
        columns = ("kind", "key", "state", "rows#", "since", "gone by schedule")
        terminal.table(dict(document), columns, rows)
        _tell(terminal, document)


@app.command()
def rotate(
    kind: Annotated[Kind, typer.Argument(help="Which key is replaced.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it has ended.")] = True,
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Replace a key while reads and writes go on.

    kek is the key of the key file or token, epoch wraps everybody's data keys, index is all keys by
    which people are found. The vault goes on by itself, also when this command ends. Exit code 1
    where rows do not open and stay under the old key, 75 where this was interrupted before the end.
    """
    with at_office(_CUSTODIAN, as_json=as_json, chosen=chosen) as (office, terminal):
        body = {"kind": kind.name_in_contract}
        ordered = office.act("/v1/keys:rotate", body, request_id=request_id).document
        rotation: Mapping[str, Any] = ordered["rotation"]
        if wait:
            rotation = _follow(office, terminal) or rotation
        terminal.result({"rotation": rotation}, _lines(rotation))
        if rotation.get("failed"):
            terminal.complain("qupia: some rows do not open: `qupia fsck` names them")
            raise typer.Exit(REFUSED)


@app.command()
def retire(
    kind: Annotated[Kind, typer.Argument(help="Which kind of key.")],
    key: Annotated[
        str, typer.Argument(help="Its id of `qupia keys status`; all old ones of index.")
    ] = "",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Remove an old key for ever; refused while a row is under it.

    With an epoch every backup of the key store that was made under it becomes unreadable: make a
    new one first.
    """
    if bool(key) == (kind is Kind.INDEX):
        raise typer.BadParameter("name the key of `qupia keys status`; for index, none")
    with at_office(_CUSTODIAN, as_json=as_json, chosen=chosen) as (office, terminal):
        body = {"kind": kind.name_in_contract} | ({"keyId": key} if key else {})
        done = office.act("/v1/keys:retire", body, request_id=request_id).document
        destroyed = done.get("destroyedKekIds", ())
        lines = [("retired", f"{kind} {key}".strip()), *(("destroyed", kek) for kek in destroyed)]
        terminal.result(dict(done), lines)


def _follow(office: Office, terminal: Terminal) -> Mapping[str, Any] | None:
    """Wait until no rotation is under way; the last one, None where there never was one."""
    with terminal.progress("rotating") as bar:
        try:
            while True:
                answer = office.get("/v1/keys", {"rotationOnly": True})
                rotation: Mapping[str, Any] | None = answer.get("rotation")
                if rotation is None or rotation["state"] == "ENDED":
                    return rotation
                done, total = int(rotation.get("rewrapped", 0)), int(rotation.get("total", 0))
                bar.at(done, total or None, f"rotating {rotation['kind']}")
                time.sleep(_PAUSE)
        except KeyboardInterrupt:
            terminal.warn("The rotation goes on: `qupia keys status --follow` waits for its end.")
            raise typer.Exit(NOT_YET) from None


def _keks(document: Mapping[str, Any]) -> list[Sequence[object]]:
    return [
        (
            "kek",
            kek["keyId"],
            _kek_state(kek),
            sum(int(kek.get(name, 0)) for name in ("epochKeys", "indexKeys", "sealingKeys")),
            local_time(kek.get("destroyTime") or kek.get("retireTime")),
            "",
        )
        for kek in document.get("keks", ())
    ]


def _kek_state(kek: Mapping[str, Any]) -> str:
    if kek.get("destroyTime"):
        return "destroyed"
    if kek.get("retireTime"):
        return "retired"
    if kek.get("held") is False:
        return "lost"
    return "current" if kek.get("current") else "old"


def _epochs(document: Mapping[str, Any]) -> list[Sequence[object]]:
    return [
        (
            "epoch",
            epoch["keyId"],
            "current" if epoch.get("current") else "old",
            epoch.get("rows", 0),
            local_time(epoch["createTime"]),
            local_time(epoch.get("endTime")),
        )
        for epoch in document.get("epochs", ())
    ]


def _index_keys(document: Mapping[str, Any]) -> list[Sequence[object]]:
    return [
        (
            "index",
            f"{key['field']} {key['keyVersion']}",
            "lost" if key.get("lost") else "current" if key.get("current") else "old",
            key.get("rows", 0),
            "",
            "",
        )
        for key in document.get("indexKeys", ())
    ]


def _tell(terminal: Terminal, document: Mapping[str, Any]) -> None:
    if document.get("otherSitesRows"):
        terminal.note(f"Other sites: {document['otherSitesRows']} rows under old index keys.")
    if document.get("backupsEndTime"):
        until = local_time(document["backupsEndTime"])
        terminal.note(f"From {until} on no backup of today's key store opens anything.")
    if document.get("providerFault"):
        terminal.warn(str(document["providerFault"]))
    if document.get("rotation"):
        for name, value in _lines(document["rotation"]):
            terminal.note(f"{name}: {value}")


def _lines(rotation: Mapping[str, Any]) -> list[tuple[str, object]]:
    done, total = rotation.get("rewrapped", 0), rotation.get("total", 0)
    lines: list[tuple[str, object]] = [
        ("rotation", f"{rotation['kind']} {rotation['state']} {rotation['rotationId']}"),
        ("rows", f"{done} of {total}, {rotation.get('failed', 0)} do not open"),
        ("began", local_time(rotation["beginTime"])),
    ]
    for name, member in (("ended", "endTime"), ("will end about", "estimatedEndTime")):
        if rotation.get(member):
            lines.append((name, local_time(rotation[member])))
    return lines
