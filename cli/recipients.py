# SPDX-License-Identifier: Apache-2.0
"""`qupia recipients`: who may receive data for an order, and their keys (clauses 5.2, 6.2.2)."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.credentials import (
    Days,
    gateway_database,
    lifetime_of,
    open_book,
    print_credentials,
    show_issued,
)
from cli.given_ids import uuid_given
from cli.office_command import As, Json, RequestId, at_office
from cli.terminal import Terminal
from gateway.credential import Holder, KeyRole

RecipientId = Annotated[str, typer.Argument(callback=uuid_given)]
_FIRST, _SECOND = "privacyOfficer", "secondPrivacyOfficer"


class Kind(StrEnum):
    """The recipients of clause 5.2."""

    COURIER = "COURIER"
    POSTAL = "POSTAL"
    TELECOM = "TELECOM"


Agreement = Annotated[str, typer.Option(help="The licence, registration or agreement.")]
Begin = Annotated[str, typer.Option("--from", metavar="DATE", help="Its first day; today's.")]
End = Annotated[str, typer.Option("--until", metavar="DATE", help="Its last day.")]
Contact = Annotated[str, typer.Option(help="A mailbox or phone of the organisation.")]
Certificate = Annotated[
    str,
    typer.Option("--certificate-sha256", metavar="HEX", help="Its keys work with it alone."),
]


def make_recipients(database_url: Callable[[], str]) -> typer.Typer:
    """The sub-command; `database_url` of the gateway is asked when a command on keys runs."""
    app = typer.Typer(
        help="Register couriers, post and telecom operators, and hand out their keys.",
        no_args_is_help=True,
    )
    _add_registry(app)
    _add_keys(app, database_url)
    return app


def _add_registry(app: typer.Typer) -> None:
    @app.command()
    def register(
        kind: Annotated[Kind, typer.Option(help="What it is by clause 5.2.")],
        name: Annotated[str, typer.Option(help="Its legal name.")],
        bin_number: Annotated[str, typer.Option("--bin", help="Twelve digits.")],
        agreement: Agreement,
        begin: Begin = "",
        end: End = "",
        contact: Contact = "",
        certificate: Certificate = "",
        request_id: RequestId = "",
        chosen: As = "",
        as_json: Json = False,
    ) -> None:
        """Register a recipient; another officer has to activate it."""
        terms = _terms(agreement, begin, end, contact, certificate)
        body = {"recipient": {"kind": kind.value, "legalName": name, "bin": bin_number, **terms}}
        _act("/v1/recipients", body, _FIRST, request_id, chosen, as_json)

    @app.command()
    def renew(
        recipient_id: RecipientId,
        agreement: Agreement,
        begin: Begin = "",
        end: End = "",
        contact: Contact = "",
        certificate: Certificate = "",
        request_id: RequestId = "",
        chosen: As = "",
        as_json: Json = False,
    ) -> None:
        """Propose new terms; they come into force when another officer activates the recipient."""
        body = {"terms": _terms(agreement, begin, end, contact, certificate)}
        path = f"/v1/recipients/{recipient_id}:renew"
        _act(path, body, _FIRST, request_id, chosen, as_json)

    @app.command()
    def activate(
        recipient_id: RecipientId,
        request_id: RequestId = "",
        chosen: As = "",
        as_json: Json = False,
    ) -> None:
        """Let a recipient, or its new terms, in, as a second person."""
        path = f"/v1/recipients/{recipient_id}:activate"
        _act(path, {}, _SECOND, request_id, chosen, as_json)

    @app.command()
    def suspend(
        recipient_id: RecipientId,
        request_id: RequestId = "",
        chosen: As = "",
        as_json: Json = False,
    ) -> None:
        """Stop a recipient: its next release is refused."""
        path = f"/v1/recipients/{recipient_id}:suspend"
        _act(path, {}, _FIRST, request_id, chosen, as_json)

    @app.command("list")
    def list_(chosen: As = "", as_json: Json = False) -> None:
        """List the site's recipients in the order of registration."""
        with at_office(_FIRST, as_json=as_json, chosen=chosen) as (office, terminal):
            found = list(office.pages("/v1/recipients", "recipients"))
            rows = [
                (r["recipientId"], r["kind"], r["state"], r["legalName"], r["agreement"], _days(r))
                for r in found
            ]
            columns = ("recipient", "kind", "state", "legal name", "agreement", "valid")
            spare = ("valid", "agreement", "kind", "state")
            terminal.table({"recipients": found}, columns, rows, whole=("recipient",), spare=spare)


def _add_keys(app: typer.Typer, database_url: Callable[[], str]) -> None:
    @app.command("issue-key")
    def issue_key(
        recipient_id: RecipientId,
        site: Annotated[str, typer.Option(help="The site the key is for.")],
        principal: Annotated[str, typer.Option(help="A name for the holder.")],
        expires_in_days: Days = None,
        as_json: Json = False,
    ) -> None:
        """Issue a recipient's first key. It is shown once and stored nowhere."""
        holder = Holder(principal, site, KeyRole.RECIPIENT, (), recipient_id)
        with open_book(database_url) as book:
            show_issued(book.issue(holder, lifetime_of(expires_in_days)), as_json)

    @app.command("rotate-key")
    def rotate_key(principal: str, expires_in_days: Days = None, as_json: Json = False) -> None:
        """Issue a second key beside the first, which lives on until it is revoked."""
        with open_book(database_url) as book:
            show_issued(book.rotate(principal, lifetime_of(expires_in_days)), as_json)

    @app.command("revoke-key")
    def revoke_key(credential_id: str, as_json: Json = False) -> None:
        """End a key; the next request with it is refused."""
        with open_book(database_url) as book:
            credential = book.revoke(credential_id)
        print_credentials([credential], as_json)


def _terms(agreement: str, begin: str, end: str, contact: str, certificate: str) -> dict[str, str]:
    terms = {
        "agreement": agreement,
        "beginDate": begin,
        "endDate": end,
        "contact": contact,
        "certificateSha256": certificate,
    }
    return {name: value for name, value in terms.items() if value}


def _act(
    path: str,
    body: Mapping[str, object],
    caller: str,
    request_id: str,
    chosen: str,
    as_json: bool,
) -> None:
    with at_office(caller, as_json=as_json, chosen=chosen) as (office, terminal):
        document = office.act(path, body, request_id=request_id).document
        _show(terminal, document, document["recipient"])


def _show(terminal: Terminal, document: Mapping[str, Any], recipient: Mapping[str, Any]) -> None:
    lines = [
        ("recipient", recipient["recipientId"]),
        ("name", recipient["legalName"]),
        ("state", recipient["state"]),
        ("agreement", recipient["agreement"]),
        ("valid", _days(recipient)),
    ]
    if renewal := recipient.get("renewal"):
        lines.append(("proposed", f"{renewal['agreement']}, {_days(renewal)}"))
    terminal.result(document, lines)


def _days(terms: Mapping[str, Any]) -> str:
    return f"{terms.get('beginDate') or 'registration'} to {terms.get('endDate') or 'open'}"


app = make_recipients(gateway_database)
