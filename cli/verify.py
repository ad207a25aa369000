# SPDX-License-Identifier: Apache-2.0
"""`qupia verify`: checks offline what Qupia has handed out, trusting nobody."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cli.exit_codes import REFUSED
from services.disclosure.receipt import TYPE, details_digest

app = typer.Typer(help="Check offline what Qupia has handed out.", no_args_is_help=True)


class NotProven(Exception):
    """What does not hold, in plain words."""


@app.callback()
def verify() -> None:
    """Check offline what Qupia has handed out."""


@app.command()
def receipt(
    receipt: Annotated[Path, typer.Argument(help="The receipt: a line of three parts.")],
    keys: Annotated[
        Path, typer.Option(help="What GET /v1/signing-keys/disclosure answered, kept.")
    ],
    details: Annotated[
        Path | None, typer.Option(help="The details that came with it, as JSON.")
    ] = None,
) -> None:
    """Check a recipient's receipt, and that it is of these details."""
    try:
        claims = read_receipt(receipt.read_text("ascii").strip(), json.loads(keys.read_text()))
        if details is not None:
            check_details(claims, json.loads(details.read_text("utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        # Whoever checks has files from elsewhere, of any shape.
        typer.echo(f"qupia: cannot read: {type(error).__name__}", err=True)
        raise typer.Exit(2) from None
    except NotProven as fault:
        typer.echo(f"qupia: does not hold: {fault}", err=True)
        raise typer.Exit(REFUSED) from None
    typer.echo(json.dumps(claims, ensure_ascii=False, indent=2))
    if details is None:
        typer.echo("The signature holds; name --details to check what was given.", err=True)


def read_receipt(text: str, published: dict[str, Any]) -> dict[str, Any]:
    """What a receipt says, once its signature holds. Raises NotProven, ValueError."""
    parts = text.split(".")
    if len(parts) != 3:
        raise NotProven("a receipt has three parts")
    header = json.loads(_bytes(parts[0]))
    known = [key for key in published["keys"] if key["kid"] == header.get("kid")]
    if not known:
        raise NotProven("no published key has the name that the receipt calls")
    if (header.get("alg"), header.get("typ")) != (known[0]["crv"], TYPE):
        raise NotProven("it is no receipt of Qupia's")
    try:
        public = Ed25519PublicKey.from_public_bytes(_bytes(known[0]["x"]))
        public.verify(_bytes(parts[2]), f"{parts[0]}.{parts[1]}".encode())
    except InvalidSignature:
        raise NotProven("the signature is not of that key and this text") from None
    claims: dict[str, Any] = json.loads(_bytes(parts[1]))
    return claims


def check_details(claims: dict[str, Any], details: dict[str, Any]) -> None:
    """Raises NotProven unless exactly these details were given."""
    if details_digest(claims["salt"], details) != claims["detailsSha256"]:
        raise NotProven("the details are others than those that were given")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
