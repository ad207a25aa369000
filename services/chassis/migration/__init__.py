# SPDX-License-Identifier: Apache-2.0
"""One migration environment for all databases of the suite.

A service's `migrations/` folder holds numbered revisions. They run as the
database's owner, under an advisory lock, each in a transaction of its own.
The service itself runs as another role, which gets what `grant` gives.

Alembic is imported where it is used: it costs a quarter of a process's start, and only who
migrates needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 7_184_402_001
VERSION_TABLE = "schema_version"
_STANDS = (
    f"SELECT version_num, obj_description('{VERSION_TABLE}'::regclass, 'pg_class') "  # noqa: S608
    f"FROM {VERSION_TABLE}"
)


class SchemaMismatch(Exception):
    """The database's schema is not the one this code needs."""


def _config(folder: Path) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("version_path_separator", "newline")
    config.set_main_option("path_separator", "newline")
    return config


def upgrade(owner_url: str, folder: Path, runtime_role: str) -> None:
    """Bring a database to the newest revision in `folder`, as its owner."""
    from alembic import command  # noqa: PLC0415

    url = make_url(owner_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, hide_parameters=True)
    config = _config(folder)
    try:
        with engine.connect() as connection:
            connection.execute(text("SET statement_timeout = '60s'"))
            connection.execute(text("SET lock_timeout = '10s'"))
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
            config.attributes["connection"] = connection
            config.attributes["runtime_role"] = runtime_role
            command.upgrade(config, "head")
            connection.execute(text(f"COMMENT ON TABLE {VERSION_TABLE} IS '{_owner(folder)}'"))
            connection.commit()
    finally:
        engine.dispose()


def _owner(folder: Path) -> str:
    """Whose schema a folder makes, such as vault/migrations: numbers are alike everywhere."""
    return f"{folder.parent.name}/{folder.name}"


def head(folder: Path) -> str:
    """The newest revision in `folder`."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return str(ScriptDirectory.from_config(_config(folder)).get_current_head())


def check(connection: Connection, folder: Path) -> None:
    """Raises SchemaMismatch unless the database stands at the newest revision of this folder."""
    try:
        row = connection.execute(text(_STANDS)).one_or_none()
    except ProgrammingError:
        row = None
    found, owner = row or (None, None)
    # A schema of before the comment has none, until it is next upgraded.
    if owner is not None and owner != _owner(folder):
        raise SchemaMismatch(
            f"the database holds the schema of {owner}, this code needs {_owner(folder)}: "
            "check its URL"
        )
    # Numbered files: reading the folder is enough, alembic itself is slow to load scripts.
    wanted = max(path.name[:4] for path in folder.glob("[0-9]*.py"))
    if found != wanted:
        raise SchemaMismatch(
            f"the database is at schema {found or 'none'}, this code needs {wanted}: "
            "run `qupia migrate` as the database's owner"
        )


def grant(runtime_role: str, table: str, privileges: Sequence[str]) -> None:
    """Give the service's role privileges on a table; called by revisions."""
    from alembic.op import execute  # noqa: PLC0415

    execute(text(f'GRANT {", ".join(privileges)} ON {table} TO "{runtime_role}"'))
