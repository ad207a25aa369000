# SPDX-License-Identifier: Apache-2.0
"""`qupia credentials`: API keys of storefronts and recipients (architecture, section 4)."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.exc import ArgumentError

from cli.layout import Layout
from cli.private_file import read_json
from cli.settings import home_folder
from gateway.book import CredentialBook, CredentialRefused, Issued
from gateway.credential import Credential, Holder, KeyRole
from qupia.subject.v1 import subject_pb2
from services.chassis.clock import SystemClock
from services.chassis.database import Database, DatabaseDefect
from services.chassis.refusal import Unavailable

DATABASE_VARIABLE = "QUPIA_GATEWAY_DATABASE_URL"

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Days = Annotated[
    int | None, typer.Option("--expires-in-days", min=1, max=3650, help="Never where absent.")
]


def environment_url() -> str:
    """The gateway's database as the environment names it. Raises typer.Exit where it does not."""
    url = os.environ.get(DATABASE_VARIABLE)
    if not url:
        typer.echo(f"set {DATABASE_VARIABLE} to the gateway's database", err=True)
        raise typer.Exit(78)
    return url


def gateway_database() -> str:
    """The gateway's database: of the environment, or of the suite that runs here."""
    if os.environ.get(DATABASE_VARIABLE):
        return environment_url()
    url = read_json(Layout(home_folder()).run).get("databases", {}).get("gateway")
    return str(url) if url else environment_url()


def make_credentials(database_url: Callable[[], str] = environment_url) -> typer.Typer:
    """The sub-command; `database_url` is asked when a command runs."""
    app = typer.Typer(help="Issue, rotate, revoke and list API keys.", no_args_is_help=True)

    @app.command()
    def issue(
        site: Annotated[str, typer.Option(help="The site the key is for.")],
        role: Annotated[KeyRole, typer.Option(help="What the holder is to the site.")],
        principal: Annotated[str, typer.Option(help="A name for the holder, such as shop-web.")],
        purpose: Annotated[
            list[str] | None,
            typer.Option(help="A purpose the key may read for; all where none is given."),
        ] = None,
        daily_subjects: Annotated[
            int,
            typer.Option(
                min=0, max=2_000_000_000, help="How many people it may reach on a day; 0: any."
            ),
        ] = 0,
        recipient: Annotated[str, typer.Option(help="The recipientId of a RECIPIENT.")] = "",
        expires_in_days: Days = None,
        as_json: Json = False,
    ) -> None:
        """Issue a first key. It is shown once and stored nowhere."""
        purposes = _purposes(purpose or [])
        holder = Holder(principal, site, role, purposes, recipient, daily_subjects)
        with open_book(database_url) as book:
            show_issued(book.issue(holder, lifetime_of(expires_in_days)), as_json)

    @app.command()
    def rotate(principal: str, expires_in_days: Days = None, as_json: Json = False) -> None:
        """Issue a second key beside the first, which lives on until it is revoked."""
        with open_book(database_url) as book:
            show_issued(book.rotate(principal, lifetime_of(expires_in_days)), as_json)

    @app.command()
    def revoke(credential_id: str, as_json: Json = False) -> None:
        """End a key; the next request with it is refused."""
        with open_book(database_url) as book:
            credential = book.revoke(credential_id)
        print_credentials([credential], as_json)

    @app.command("list")
    def list_(as_json: Json = False) -> None:
        """Show every key that was ever issued, without the keys themselves."""
        with open_book(database_url) as book:
            print_credentials(list(book.every()), as_json)

    return app


@contextmanager
def open_book(database_url: Callable[[], str]) -> Iterator[CredentialBook]:
    """The keys of a gateway; what goes wrong is said and becomes an exit code."""
    try:
        database = Database(database_url(), pool_size=1)
    except (ValueError, ArgumentError):
        typer.echo("the gateway's database URL is none of PostgreSQL: postgresql://…", err=True)
        raise typer.Exit(78) from None
    try:
        # The account that acts, by its number: names of people stay out of evidence.
        yield CredentialBook(database, SystemClock(), f"operator/uid-{os.getuid()}")
    except CredentialRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    except Unavailable:
        typer.echo("the gateway's database cannot be reached: start it, or check its URL", err=True)
        raise typer.Exit(69) from None
    except DatabaseDefect as defect:
        typer.echo(f"the gateway's database refused ({defect}): run `qupia migrate`", err=True)
        raise typer.Exit(69) from None
    finally:
        database.close()


def _purposes(names: list[str]) -> tuple[str, ...]:
    known = [name for name, number in subject_pb2.Purpose.Code.items() if number]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name} is no purpose; known are {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def lifetime_of(days: int | None) -> timedelta | None:
    """How long a key lives."""
    return None if days is None else timedelta(days=days)


def _document(credential: Credential) -> dict[str, object]:
    holder = credential.holder
    document: dict[str, object] = {
        "credentialId": credential.credential_id,
        "principal": holder.principal_id,
        "site": holder.site_id,
        "role": holder.role.value,
        "purposes": list(holder.purposes),
        "recipientId": holder.recipient_id,
        "dailySubjects": holder.daily_subjects,
        "createTime": credential.create_time.isoformat(),
    }
    for name, time in (("expire", credential.expire_time), ("revoke", credential.revoke_time)):
        if time is not None:
            document[f"{name}Time"] = time.isoformat()
    return document


def show_issued(issued: Issued, as_json: bool) -> None:
    """Print a key in the only moment in which it is known."""
    if as_json:
        typer.echo(json.dumps({**_document(issued.credential), "token": issued.key}))
        return
    typer.echo(f"credential {issued.credential.credential_id}")
    typer.echo(f"token      {issued.key}")
    typer.echo("The token is shown this once; keep it where secrets are kept.")


def print_credentials(credentials: list[Credential], as_json: bool) -> None:
    """Print keys without the keys themselves."""
    if as_json:
        typer.echo(json.dumps([_document(c) for c in credentials]))
        return
    for each in credentials:
        now = SystemClock().now()
        state = "live" if each.is_live(now) else "revoked" if each.revoke_time else "expired"
        holder = each.holder
        typer.echo(
            f"{each.credential_id}  {state:<8} {holder.site_id}  {holder.role.value}  "
            f"{holder.principal_id}"
        )


app = make_credentials(gateway_database)
