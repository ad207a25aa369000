# SPDX-License-Identifier: Apache-2.0
"""`qupia subject export` and `verify`: the person's own view, by the code that was handed to them
(clause 6.1.3). Files are named by the export alone, never by the person."""

import base64
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cli.exit_codes import REFUSED
from cli.office import Office
from cli.office_command import As, Json, RequestId, at_office
from cli.office_place import Place
from cli.private_file import write_private
from cli.subject_ends import SubjectId
from cli.terminal import Terminal

_OFFICER = "claimsOfficer"


def export(
    subject: SubjectId,
    code: Annotated[
        str, typer.Option(help="The person's code; - reads it from standard input.")
    ] = "",
    identified_by: Annotated[
        str,
        typer.Option(
            help="How the officer made sure who the person is: IDENTITY_DOCUMENT, "
            "ELECTRONIC_SIGNATURE or REPRESENTATIVE_AUTHORITY."
        ),
    ] = "",
    reference: Annotated[str, typer.Option(help="The case or register number of it.")] = "",
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(),
    language: Annotated[str, typer.Option(help="Of the pages: kk, ru or en.")] = "kk",
    request_id: RequestId = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """Hand out a code for a person's own view; or with the code save all that is held about them.

    Without --code an officer who has identified the person gets a code to hand over: it is told
    once and works once. With --code the signed export and the pages are saved, readable by their
    owner only. A block does not close a person's own view.
    """
    if code:
        _save(subject, code, out, language, request_id=request_id, as_json=as_json)
        return
    if not identified_by or not reference:
        raise typer.BadParameter(
            "say how the person was identified, and where that is kept: --identified-by and "
            "--reference; or give their --code"
        )
    body = {"identification": {"method": identified_by, "reference": reference}}
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        path = f"/v1/subjects/{subject}/access-codes"
        answer = office.act(path, body, request_id=request_id).document
        told = answer.get("code", "was told before, and is not told again")
        minutes = f"{int(answer['validSeconds']) // 60} minutes, once"
        terminal.result(answer, [("code", told), ("works for", minutes)])


def _save(
    subject: str, code: str, out: Path, language: str, *, request_id: str, as_json: bool
) -> None:
    given = sys.stdin.readline().strip() if code == "-" else code
    gateway = _gateway(as_json=as_json)
    # The code is the credential: any other is left out.
    nobody = Place(gateway, "none", language=language)
    with at_office("", as_json=as_json, place=nobody) as (office, _):
        path = "/v1/access-codes:redeem"
        session = office.act(path, {"code": given}, request_id=request_id).document["session"]
    person = Place(gateway, str(session), language=language)
    with at_office("", as_json=as_json, place=person) as (office, terminal):
        out.mkdir(parents=True, exist_ok=True)
        saved = _save_parts(office, subject, out)
        pdf = out / f"{saved[0].stem.rpartition('-')[0]}.pdf"
        printed = office.act(f"/v1/subjects/{subject}:print", {"language": language})
        write_private(pdf, printed.content)
        key = office.get("/v1/signing-keys/vault")["keys"][0]
        pem = out / f"signing-key-{key['kid']}.pem"
        write_private(pem, str(key["pem"]).encode())
        _done(terminal, [*saved, pdf, pem])


def _gateway(*, as_json: bool) -> str:
    named = os.environ.get("QUPIA_GATEWAY")
    if named:
        return named
    with at_office("storefront", as_json=as_json) as (office, _):
        return office.gateway


def _save_parts(office: Office, subject: str, out: Path) -> list[Path]:
    saved: list[Path] = []
    token = ""
    while True:
        body = {"pageToken": token} if token else {}
        part = office.ask(f"/v1/subjects/{subject}:export", body)
        path = out / f"export-{part['exportId']}-{part['part']}.json"
        write_private(path, str(part["document"]).encode())
        signature = path.with_suffix(".sig")
        write_private(signature, base64.b64decode(part["signature"]))
        saved += [path, signature]
        token = str(part.get("nextPageToken", ""))
        if not token:
            return saved


def _done(terminal: Terminal, files: list[Path]) -> None:
    names: dict[str, Any] = {"files": [str(file) for file in files]}
    terminal.result(names, [("saved", str(file)) for file in files])


def verify(
    document: Annotated[Path, typer.Argument(help="A part of an export, *.json.")],
    signature: Annotated[Path, typer.Argument(help="Its signature, *.sig.")],
    key: Annotated[Path, typer.Argument(help="The public key, *.pem, as the operator says it is.")],
    as_json: Json = False,
) -> None:
    """Verify that an export is what the holder of a key signed; needs no connection.

    Exit code 0 where it is, 1 where it is not.
    """
    terminal = Terminal(as_json=as_json)
    try:
        public = load_pem_public_key(key.read_bytes())
        if not isinstance(public, Ed25519PublicKey):
            raise typer.BadParameter("is no Ed25519 key", param_hint="KEY")
        public.verify(signature.read_bytes(), document.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"cannot read {error.filename}") from None
    except ValueError:
        raise typer.BadParameter("is no public key in PEM", param_hint="KEY") from None
    except InvalidSignature:
        terminal.complain("qupia: this key did not sign this document", {"verified": False})
        raise typer.Exit(REFUSED) from None
    terminal.result({"verified": True}, [("verified", "signed by this key, every byte")])


def add_to(app: typer.Typer) -> None:
    """Put the commands into a group."""
    app.command()(export)
    app.command()(verify)
