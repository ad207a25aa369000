# SPDX-License-Identifier: Apache-2.0
"""What `qupia` does with a whole suite: runs, plays, checks, migrates and shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from cli import contract_table
from cli.demo import demo as tell_story
from cli.demo_couriers import demo_couriers
from cli.development_issuer import PEOPLE, DevelopmentIssuer
from cli.fsck import fsck as check_records
from cli.layout import Layout
from cli.migrate import migrate as migrate_databases
from cli.run import run as run_suite
from cli.settings import home_folder
from services.chassis.clock import SystemClock
from services.chassis.config import ConfigError
from services.chassis.start_error import EXIT_CONFIG, EXIT_START, StartError

app = typer.Typer(rich_markup_mode="markdown")


class Play(StrEnum):
    """What `qupia demo` plays."""

    STORY = "story"
    COURIERS = "couriers"


@app.command()
def run() -> None:
    """Start the whole suite here; Ctrl-C stops it, the data stay.

    QUPIA_HOME is the folder of everything that is kept (var), QUPIA_HTTP_PORT the port (8080; 0
    takes a free one), QUPIA_RESTART_SECONDS the pause before a process that ended starts again (3,
    or never), QUPIA_POSTGRES a folder with other PostgreSQL programs, QUPIA_<SERVICE>_DATABASE_URL
    a real server in place of the embedded one.
    """
    raise typer.Exit(run_suite())


@app.command()
def demo(
    what: Annotated[Play, typer.Argument(help="What to play.")] = Play.STORY,
    deliveries: Annotated[
        int, typer.Option(min=4, max=1000, help="Of couriers: how many each partner has.")
    ] = 25,
) -> None:
    """Play against the running suite: the acceptance story, or a morning of three couriers."""
    with _explained():
        if what is Play.COURIERS:
            raise typer.Exit(demo_couriers(_layout().credentials, deliveries))
        raise typer.Exit(tell_story(_layout().credentials))


@app.command()
def fsck(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    first: Annotated[bool, typer.Option("--first", help="Stop at the first fault.")] = False,
) -> None:
    """Check the records against each other: books, standing, ciphertexts, evidence.

    Reads only, of the suite that runs or is stopped in QUPIA_HOME, or of named databases. Exit code
    0 where all holds, 1 where something does not, 2 where it could not be checked.
    """
    raise typer.Exit(check_records(as_json=as_json, only_first=first))


@app.command()
def migrate(
    databases: Annotated[
        list[str] | None, typer.Argument(help="Which; all six where none is named.")
    ] = None,
) -> None:
    """Bring databases to the schema of this code, as their owners (for production).

    QUPIA_<DATABASE>_OWNER_URL is the owner's URL, QUPIA_<DATABASE>_ROLE the role that the service
    uses (its name where absent); both may stand in the file that QUPIA_CONFIG names. Databases are
    consent, vault, keystore, disclosure, claims and gateway.
    """
    with _explained():
        for name, changed in migrate_databases(databases or []).items():
            typer.echo(f"{name:<12}{'migrated' if changed else 'up to date'}")


@app.command()
def contract() -> None:
    """Print every RPC with its route, callers, evidence and clauses."""
    for line in contract_table.lines():
        typer.echo(line)


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Such as claimsOfficer; wrong ones show all.")],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 30, help="How long it holds.")] = 24,
) -> None:
    """Print a fresh token of a person of the development suite."""
    if name not in PEOPLE:
        raise typer.BadParameter(f"nobody is called {name}; there are {', '.join(PEOPLE)}")
    with _explained():
        issuer = DevelopmentIssuer.open(_layout())
        typer.echo(issuer.token(PEOPLE[name], SystemClock().now(), timedelta(hours=hours)))


def _layout() -> Layout:
    return Layout(home_folder())


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        typer.echo(f"qupia: {error}", err=True)
        raise typer.Exit(EXIT_CONFIG) from None
    except StartError as error:
        typer.echo(f"qupia: {error}", err=True)
        raise typer.Exit(EXIT_START) from None
