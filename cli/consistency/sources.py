# SPDX-License-Identifier: Apache-2.0
"""Where the databases and the key file of a suite are, whether it runs or not."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import postgres
from cli.databases import BOOKS
from cli.layout import Layout
from cli.postgres import PostgresError
from cli.private_file import read_json
from cli.settings import home_folder, run_settings
from services.chassis.start_error import StartError

_KEY_FILE = "QUPIA_VAULT_KEY_FILE"


@dataclass(frozen=True, slots=True)
class Sources:
    """URLs by database, and the vault's key file."""

    urls: Mapping[str, str] = field(repr=False)
    key_file: Path


@contextmanager
def find_sources(environ: Mapping[str, str]) -> Iterator[Sources]:
    """The sources that the environment names, else those of the suite in QUPIA_HOME.

    Of a suite that does not run, the embedded PostgreSQL is started for as long, and nobody can
    start the suite meanwhile. Raises StartError, ConfigError, PostgresError.
    """
    layout = Layout(home_folder(environ))
    key_file = Path(environ.get(_KEY_FILE) or layout.key_file)
    named = {book.name: environ[book.variable] for book in BOOKS if environ.get(book.variable)}
    if all(book.name in named for book in BOOKS):
        yield Sources(named, key_file)
        return
    running = _running(layout)
    if running is not None:
        yield Sources({**running["databases"], **named}, key_file)
        return
    with _started(layout, environ) as urls:
        yield Sources({**urls, **named}, key_file)


def _running(layout: Layout) -> dict[str, Any] | None:
    """run.json of the suite that runs in this very folder; None where none does."""
    state = read_json(layout.run)
    if not state or not _lives(int(state["pid"])):
        return None
    # A copied folder has the file of the suite that it was copied from.
    cluster = state["postgres"]
    own = cluster is None or Path(cluster["data"]) == layout.postgres.resolve()
    return state if own else None


@contextmanager
def _started(layout: Layout, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    if not (layout.postgres / "PG_VERSION").exists():
        variables = ", ".join(book.variable for book in BOOKS)
        raise StartError(
            f"there is no suite in {layout.home}: set QUPIA_HOME to its folder, or name the "
            f"databases by {variables} and the key file by {_KEY_FILE}"
        )
    settings = run_settings({**environ, "QUPIA_HOME": str(layout.home)})
    with layout.lock():
        cluster = postgres.start(layout.postgres, fsync=True, binaries=settings.postgres)
        try:
            yield {book.name: cluster.url(book.name, book.name) for book in BOOKS}
        except KeyError:
            raise PostgresError(
                f"{cluster.passwords.path} lacks a role of the suite: put the file back"
            ) from None
        finally:
            cluster.stop()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
